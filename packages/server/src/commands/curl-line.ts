import { TOKEN_PATH } from '../http/paths.ts';

/** A shell command that requests a token. Client ids and secrets need no quotes in a shell. */
export function curlLine(issuer: string, clientId: string, secret: string): string {
  const url = issuer + TOKEN_PATH;
  // Some shells read the brackets of an IPv6 address as a file name pattern.
  return `curl -d client_id=${clientId} -d client_secret=${secret} ${url.includes('[') ? `'${url}'` : url}`;
}
