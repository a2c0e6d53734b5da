import { TOKEN_PATH } from '../http/metadata.ts';

/** A line that gets a token when it is pasted into a shell. Ids and secrets hold nothing that a shell would take up. */
export function curlLine(issuer: string, clientId: string, secret: string): string {
  return `curl -d client_id=${clientId} -d client_secret=${secret} ${issuer}${TOKEN_PATH}`;
}
