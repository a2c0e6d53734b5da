import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { apiUserPath } from '../api/paths.ts';
import type { CredentialJson } from '../../../server/src/http/admin/credential.wire.ts';
import { config } from '../config.ts';
import { clockSeconds } from '../format.ts';
import { useLeaveGuard } from '../state/leave-guard.ts';
import { useResource } from '../state/resource.ts';
import type { LiveUse } from '../state/uses.ts';
import { Button } from './button.tsx';
import { CodeBlock } from './copy.tsx';
import { saveAs } from './download.ts';
import { CheckField, Segments } from './field.tsx';
import { Icon } from './icon.tsx';
import { Notice } from './notice.tsx';

export interface ShownSecret {
  clientId: string;
  /** Name of the API user. */
  name: string;
  credentialId: string;
  kind: Extract<CredentialJson['kind'], 'secret' | 'password'>;
  /** The secret or password. */
  secret: string;
}

const WITHOUT = {
  secret: {
    title: 'Leave without the secret?',
    text: 'It cannot be shown again. If you have not stored it, create a new one.',
  },
  password: {
    title: 'Leave without the password?',
    text: 'It cannot be shown again. If you have not stored it, set a new one.',
  },
};

/** Shows a secret once: to copy, try out and leave. */
export function SecretOnce({
  shown,
  live,
  buttonText,
  onDone,
}: {
  shown: ShownSecret;
  /** Null: the person cannot watch its uses. */
  live: LiveUse | null;
  /** Label of the last button. */
  buttonText: string;
  onDone: () => void;
}): JSX.Element {
  const [stored, setStored] = useState(false);
  useLeaveGuard(!stored, WITHOUT[shown.kind]);
  return (
    <div class="stack wide">
      <Notice kind="warn" title={`The ${shown.kind} is shown only once`}>
        <p>
          Not even the server can show it again. Store it where the program reads it before you leave this
          page.
        </p>
      </Notice>
      <div class="stack">
        <Shown label="Client id" text={shown.clientId} />
        <Shown label={shown.kind === 'secret' ? 'Secret' : 'Password'} text={shown.secret} />
        <div class="row">
          {isPlain(shown.secret) && (
            <Button icon="download" onClick={() => saveAs(`${shown.clientId}.env`, envOf(shown))}>
              .env
            </Button>
          )}
          <Button icon="download" onClick={() => saveAs(`${shown.clientId}.txt`, textOf(shown))}>
            .txt
          </Button>
        </div>
      </div>
      <Snippets shown={shown} />
      {live !== null && <FirstUse shown={shown} live={live} />}
      <div class="stack">
        <CheckField label={`I have stored the ${shown.kind}`} checked={stored} onInput={setStored} />
        <div class="form-actions">
          <Button kind="primary" disabled={!stored} onClick={onDone}>
            {buttonText}
          </Button>
        </div>
      </div>
    </div>
  );
}

function Shown({ label, text }: { label: string; text: string }): JSX.Element {
  return (
    <div class="stack tight">
      <span class="label">{label}</span>
      <CodeBlock text={text} what={label.toLowerCase()} />
    </div>
  );
}

type Snippet = 'curl' | 'typescript';

function Snippets({ shown }: { shown: ShownSecret }): JSX.Element {
  const [kind, setKind] = useState<Snippet>('curl');
  return (
    <div class="stack tight">
      <div class="row apart">
        <span class="label">Use it</span>
        <Segments<Snippet>
          label="Language"
          value={kind}
          options={[
            { value: 'curl', text: 'curl' },
            { value: 'typescript', text: 'TypeScript' },
          ]}
          onInput={setKind}
        />
      </div>
      {kind === 'curl' ? (
        <CodeBlock text={curlOf(shown)} what="curl line" />
      ) : (
        <CodeBlock text={TYPESCRIPT} what="TypeScript lines" />
      )}
    </div>
  );
}

const POLL_MS = 4000;

/** Whether the new secret has been used, from the stream of events and by polling in case it is down. */
function FirstUse({ shown, live }: { shown: ShownSecret; live: LiveUse }): JSX.Element {
  const path = `${apiUserPath(shown.clientId)}/credentials`;
  const { data } = useResource<{ items: CredentialJson[] }>(path, [], POLL_MS);
  const stored = data?.items.find(({ id }) => id === shown.credentialId);
  const seen = live.credentials.get(shown.credentialId);
  const at = seen?.at ?? stored?.last_used_at ?? null;
  const address = seen?.address ?? stored?.last_used_address ?? null;
  return (
    <div class="first-use">
      <div aria-live="polite">
        {at === null ? (
          <p class="row beside">
            <span class="spinner" aria-hidden="true" />
            Waiting for the first token with this {shown.kind}…
          </p>
        ) : (
          <p class="row received">
            <Icon name="check" />
            <strong>It works.</strong>
            <span>
              A token was issued at {clockSeconds(Date.parse(at))}
              {address !== null && (
                <>
                  {' '}
                  to <code>{address}</code>
                </>
              )}
              .
            </span>
          </p>
        )}
      </div>
    </div>
  );
}

/** Whether a text needs no quoting or encoding in a shell, an env file or a form. Passwords may. */
function isPlain(text: string): boolean {
  return /^[\w.~-]+$/.test(text);
}

function curlOf({ clientId, secret }: ShownSecret): string {
  if (isPlain(secret))
    return `curl -d client_id=${clientId} -d client_secret=${secret} ${config.token_endpoint}`;
  const quoted = `'client_secret=${secret.replaceAll("'", String.raw`'\''`)}'`;
  return `curl -d client_id=${clientId} --data-urlencode ${quoted} ${config.token_endpoint}`;
}

function envOf({ clientId, secret }: ShownSecret): string {
  return `MINTMARK_CLIENT_ID=${clientId}\nMINTMARK_CLIENT_SECRET=${secret}\n`;
}

function textOf(shown: ShownSecret): string {
  return [
    shown.name,
    '',
    `client_id      ${shown.clientId}`,
    `client_secret  ${shown.secret}`,
    '',
    'A token:',
    '',
    `  ${curlOf(shown)}`,
    '',
  ].join('\n');
}

const TYPESCRIPT = `// @mintmark/client comes as a tarball from the operator of the platform, not from the npm registry.
// It reads MINTMARK_CLIENT_ID and MINTMARK_CLIENT_SECRET.
import { Configuration, TokenManager } from '@mintmark/client';

const tokens = new TokenManager(Configuration.fromEnv({ host: ${JSON.stringify(config.issuer)} }));
const response = await tokens.fetch('https://api.example.com/v1/campaigns');`;
