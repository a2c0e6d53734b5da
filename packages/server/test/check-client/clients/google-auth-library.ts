// google-auth-library has no client credentials grant. Its refresh handler, as in its README, makes the token
// request; the library keeps the token, renews it, and repeats a call after a 401.
import { OAuth2Client } from 'google-auth-library';
import { makeCalls, variable } from './calls.ts';

const oauth2Client = new OAuth2Client({ forceRefreshOnFailure: true });

oauth2Client.refreshHandler = async () => {
  const response = await fetch(variable('MINTMARK_TOKEN_URL'), {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: variable('MINTMARK_CLIENT_ID'),
      client_secret: variable('MINTMARK_CLIENT_SECRET'),
    }),
  });
  if (!response.ok) throw new Error(`The token endpoint answered ${response.status}.`);
  const body = (await response.json()) as { access_token: string; expires_in: number };
  return { access_token: body.access_token, expiry_date: Date.now() + body.expires_in * 1000 };
};

await makeCalls(async (url) => {
  const { status } = await oauth2Client.request({ url });
  return new Response(null, { status });
});
