import type { PublicJwk } from '../../../server/src/domain/trust-rule.ts';
import { curlLines, sdkLines, type Snippet, type SnippetServer } from './trust-snippets.ts';

const KEY_FILE = 'importer.pem';

/** The snippets for a key of the API user. */
export function keySnippets(server: SnippetServer, kid: string, jwk: PublicJwk | undefined): Snippet[] {
  const { issuer, clientId } = server;
  const expression = `privateKey({ key: { file: '${KEY_FILE}' }, kid: ${JSON.stringify(kid)} })`;
  const imported = `import { privateKey } from '@mintmark/client/key';`;
  return [
    {
      title: 'TypeScript',
      text: 'With the SDK, which signs a new assertion for each request.',
      code: sdkLines(server, imported, expression),
    },
    {
      title: 'mintmark',
      text: 'With the command line, to try it out: prints an access token.',
      code: `npx mintmark token --url ${issuer} --client-id ${clientId} --key ${KEY_FILE}`,
    },
    {
      title: 'curl',
      text: 'An assertion lives for at most five minutes, and works once. Any JWT library makes one.',
      code: `${assertionLines(server, kid, algorithmOf(jwk))}\n${curlLines(server, '$assertion')}`,
    },
  ];
}

function algorithmOf(jwk: PublicJwk | undefined): string {
  if (jwk?.alg !== undefined) return jwk.alg;
  if (jwk?.kty === 'RSA') return 'PS256';
  if (jwk?.kty === 'OKP') return 'EdDSA';
  return jwk?.crv === 'P-384' ? 'ES384' : 'ES256';
}

/** Signs with the `jose` command line: iss, sub and aud as RFC 7523 and the server want them. */
function assertionLines({ issuer, clientId }: SnippetServer, kid: string, algorithm: string): string {
  return `now=$(date +%s)
claims="{\\"iss\\":\\"${clientId}\\",\\"sub\\":\\"${clientId}\\",\\"aud\\":\\"${issuer}\\",\\"iat\\":$now,\\"exp\\":$((now + 60)),\\"jti\\":\\"$(openssl rand -hex 16)\\"}"
assertion=$(printf %s "$claims" | jose jws sig -I- -k importer.jwk -c -s '{"protected":{"alg":"${algorithm}","kid":"${kid}"}}')`;
}
