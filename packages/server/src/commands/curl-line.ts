import { TOKEN_PATH } from '../http/paths.ts';

/** A line that gets a token when it is pasted into a shell. Ids and secrets hold nothing that a shell would take up. */
export function curlLine(issuer: string, clientId: string, secret: string): string {
  const url = issuer + TOKEN_PATH;
  // Some shells take the brackets of an IPv6 address for a pattern of file names.
  return `curl -d client_id=${clientId} -d client_secret=${secret} ${url.includes('[') ? `'${url}'` : url}`;
}
