// openid-client: discovery and the client credentials grant of its README, and a new token after expiry.
import * as client from 'openid-client';
import { makeCalls, variable } from './calls.ts';

const config = await client.discovery(
  new URL(variable('MINTMARK_ISSUER')),
  variable('MINTMARK_CLIENT_ID'),
  variable('MINTMARK_CLIENT_SECRET'),
  undefined,
  { algorithm: 'oauth2', execute: [client.allowInsecureRequests] },
);

type Tokens = Awaited<ReturnType<typeof client.clientCredentialsGrant>>;
let tokens: Tokens | undefined;

async function currentToken(): Promise<string> {
  if (tokens === undefined || tokens.expiresIn() === 0) tokens = await client.clientCredentialsGrant(config);
  return tokens.access_token;
}

await makeCalls(
  async (url) => await client.fetchProtectedResource(config, await currentToken(), new URL(url), 'GET'),
);
