import type { TrustRuleJson } from '../../../server/src/domain/trust-rule-json.ts';

// Lines that an integrator copies into a workload.

export interface Snippet {
  title: string;
  /** Says what the lines do, and to which file or shell they belong. */
  text: string;
  code: string;
}

/** Addresses that a program needs. */
export interface SnippetServer {
  issuer: string;
  tokenEndpoint: string;
  clientId: string;
}

/** Kubernetes gives no token with a shorter life. */
const EXPIRATION_SECONDS_MIN = 600;

const TOKEN_FILE = '/var/run/secrets/mintmark/token';

/** The snippets for a rule: that of its platform first. */
export function trustSnippets(server: SnippetServer, rule: TrustRuleJson): Snippet[] {
  const { audience } = rule;
  switch (rule.preset ?? '') {
    case 'github':
      return [githubActions(server, audience), typescript(server, githubIdentity(server, audience))];
    case 'gitlab':
      return [gitlab(server, audience), typescript(server, GITLAB_IDENTITY)];
    case 'kubernetes':
      return [
        kubernetes(server, rule),
        typescript(server, FILE_IDENTITY),
        curl(server, `assertion=$(cat ${TOKEN_FILE})`),
      ];
    default:
      return [curl(server, tokenLine(rule)), typescript(server, OTHER_IDENTITY)];
  }
}

/** The request for an access token with the assertion in a variable of the shell. */
export function curlLines({ clientId, tokenEndpoint }: SnippetServer, assertion: string): string {
  return [
    'curl -sS --fail-with-body \\',
    `  -d client_id=${clientId} \\`,
    '  -d client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer \\',
    `  -d "client_assertion=${assertion}" \\`,
    `  ${tokenEndpoint}`,
  ].join('\n');
}

function indented(text: string, by: string): string {
  return text
    .split('\n')
    .map((line) => `${by}${line}`)
    .join('\n');
}

function githubActions(server: SnippetServer, audience: string): Snippet {
  const code = `permissions:
  id-token: write
  contents: read

steps:
  - name: Get an access token
    run: |
      assertion=$(curl -sS --fail -H "Authorization: Bearer $ACTIONS_ID_TOKEN_REQUEST_TOKEN" \\
        "$ACTIONS_ID_TOKEN_REQUEST_URL&audience=${encodeURIComponent(audience)}" |
        jq -r .value)
      token=$(${indented(curlLines(server, '$assertion'), '      ').trimStart()} | jq -r .access_token)
      echo "::add-mask::$token"
      echo "MINTMARK_TOKEN=$token" >> "$GITHUB_ENV"`;
  return {
    title: 'GitHub Actions',
    text: 'In the workflow: a step that gets a token, for the steps after it as $MINTMARK_TOKEN.',
    code,
  };
}

function gitlab(server: SnippetServer, audience: string): Snippet {
  const code = `importer:
  id_tokens:
    MINTMARK_IDENTITY:
      aud: ${audience}
  script:
    - |
      token=$(${indented(curlLines(server, '$MINTMARK_IDENTITY'), '      ').trimStart()} | jq -r .access_token)`;
  return { title: 'GitLab', text: 'In .gitlab-ci.yml: a job that gets a token.', code };
}

function kubernetes({ clientId }: SnippetServer, { subject, audience, ...rule }: TrustRuleJson): Snippet {
  const account = subject.split(':')[3] ?? 'default';
  const code = `spec:
  serviceAccountName: ${account}
  containers:
    - name: importer
      env:
        - name: MINTMARK_CLIENT_ID
          value: ${clientId}
        - name: MINTMARK_IDENTITY_TOKEN_FILE
          value: ${TOKEN_FILE}
      volumeMounts:
        - name: mintmark
          mountPath: ${TOKEN_FILE.slice(0, TOKEN_FILE.lastIndexOf('/'))}
          readOnly: true
  volumes:
    - name: mintmark
      projected:
        sources:
          - serviceAccountToken:
              path: token
              audience: ${audience}
              expirationSeconds: ${Math.max(EXPIRATION_SECONDS_MIN, Math.min(3600, rule.life_seconds_max))}`;
  return {
    title: 'Kubernetes',
    text: 'In the pod: a file with the token of its service account, which Kubernetes renews.',
    code,
  };
}

/** How a platform gives a token to a program, for the shell. */
function tokenLine({ preset, audience }: TrustRuleJson): string {
  const encoded = encodeURIComponent(audience);
  switch (preset ?? '') {
    case 'aws':
      return `assertion=$(aws sts get-web-identity-token --audience ${audience} \\
  --signing-algorithm ES384 --duration-seconds 300 --query WebIdentityToken --output text)`;
    case 'google':
      return `metadata=http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default
assertion=$(curl -sS --fail -H "Metadata-Flavor: Google" "$metadata/identity?audience=${encoded}&format=full")`;
    case 'entra':
      return `metadata=http://169.254.169.254/metadata/identity/oauth2/token
assertion=$(curl -sS --fail -H "Metadata: true" "$metadata?api-version=2018-02-01&resource=${encoded}" |
  jq -r .access_token)`;
    case 'spiffe':
      return `assertion=$(spire-agent api fetch jwt -audience ${audience} -output json |
  jq -r '.[0].svids[0].svid')`;
    default:
      return 'assertion=$(cat token)  # the token of the platform';
  }
}

function curl(server: SnippetServer, line: string): Snippet {
  return {
    title: 'curl',
    text: 'In a shell: gets the token of the platform, then an access token for it.',
    code: `${line}\n${curlLines(server, '$assertion')}`,
  };
}

interface Identity {
  /** Imported from `@mintmark/client/identity`. */
  name: string;
  expression: string;
}

const FILE_IDENTITY: Identity = {
  name: 'identityToken',
  expression: `identityToken({ file: '${TOKEN_FILE}' })`,
};
const GITLAB_IDENTITY: Identity = {
  name: 'identityToken',
  expression: `identityToken(async () => process.env.MINTMARK_IDENTITY ?? '')`,
};
const OTHER_IDENTITY: Identity = {
  name: 'identityToken',
  expression: 'identityToken(async () => await tokenOfPlatform())',
};

function githubIdentity({ issuer }: SnippetServer, audience: string): Identity {
  const options = audience === issuer ? '' : `{ audience: ${JSON.stringify(audience)} }`;
  return { name: 'githubActions', expression: `githubActions(${options})` };
}

function typescript(server: SnippetServer, { name, expression }: Identity): Snippet {
  return {
    title: 'TypeScript',
    text: 'With the SDK, which gets a new token whenever one is needed.',
    code: sdkLines(server, `import { ${name} } from '@mintmark/client/identity';`, expression),
  };
}

/** A program with the SDK that proves itself by `expression`. */
export function sdkLines({ issuer, clientId }: SnippetServer, line: string, expression: string): string {
  return `import { Configuration, TokenManager } from '@mintmark/client';
${line}

const tokens = new TokenManager(
  new Configuration({
    host: ${JSON.stringify(issuer)},
    clientId: ${JSON.stringify(clientId)},
    clientAuthentication: ${expression},
  }),
);
const response = await tokens.fetch('https://api.example.com/v1/campaigns');`;
}
