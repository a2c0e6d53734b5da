// simple-oauth2 without a handler for errors: Node prints the whole error, which holds the request.
import { ClientCredentials } from 'simple-oauth2';
import { variable } from './calls.ts';

const { origin, pathname } = new URL(variable('MINTMARK_TOKEN_URL'));
const client = new ClientCredentials({
  client: { id: variable('MINTMARK_CLIENT_ID'), secret: variable('MINTMARK_CLIENT_SECRET') },
  auth: { tokenHost: origin, tokenPath: pathname },
});
await client.getToken({});
