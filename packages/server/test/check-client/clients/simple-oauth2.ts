// simple-oauth2: the client credentials of its README, and a new token within its window before expiry.
import { ClientCredentials, type AccessToken } from 'simple-oauth2';
import { makeCalls, variable } from './calls.ts';

const EXPIRATION_WINDOW_IN_SECONDS = 300;

const { origin, pathname } = new URL(variable('MINTMARK_TOKEN_URL'));
const client = new ClientCredentials({
  client: { id: variable('MINTMARK_CLIENT_ID'), secret: variable('MINTMARK_CLIENT_SECRET') },
  auth: { tokenHost: origin, tokenPath: pathname },
});

let accessToken: AccessToken | undefined;

async function currentToken(): Promise<string> {
  if (accessToken === undefined || accessToken.expired(EXPIRATION_WINDOW_IN_SECONDS))
    accessToken = await client.getToken({});
  return String(accessToken.token['access_token']);
}

try {
  await makeCalls(async (url) => {
    const token = await currentToken();
    return await fetch(url, { headers: { Authorization: `Bearer ${token}` } });
  });
} catch (error) {
  process.stderr.write(`Access Token error ${(error as Error).message}\n`);
  process.exitCode = 1;
}
