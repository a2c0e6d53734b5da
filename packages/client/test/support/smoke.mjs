// Runs in an empty project under every runtime that the package supports. Prints one line of JSON.
import { AuthenticationApi, ApiException, Configuration, TokenManager } from '@mintmark/client';
import { FileTokenStore } from '@mintmark/client/file-store';
import { tokenMiddleware } from '@mintmark/client/openapi-fetch';
import { tokenConfiguration } from '@mintmark/client/typescript-fetch';

const { HOST, API, DIRECTORY } = globalThis.process.env;
const events = [];
const configuration = Configuration.fromEnv({ host: HOST, onEvent: ({ type }) => events.push(type) });
const response = await new AuthenticationApi(configuration).oAuth2TokenPost();
console.error(response, configuration, String(response), JSON.stringify(configuration));

const manager = new TokenManager(configuration, { store: new FileTokenStore(DIRECTORY) });
const tokens = await Promise.all(Array.from({ length: 100 }, () => manager.getToken()));
const bodies = [];
for (const body of ['text', new Blob(['blob']), new URLSearchParams({ a: 'b c' })]) {
  bodies.push(await (await manager.fetch(API, { method: 'POST', body })).text());
}
bodies.push(await (await manager.fetch(new Request(API, { method: 'PUT', body: 'request' }))).text());

const failure = await new AuthenticationApi(
  new Configuration({ host: `${HOST}/nowhere`, clientId: 'a', clientSecret: 'sec+ret', retry: false }),
)
  .oAuth2TokenPost()
  .catch((error) => error);
console.error(failure);
const aborted = await manager.getToken({ signal: AbortSignal.abort('enough') }).catch((reason) => reason);
const fromFile = await Configuration.fromFile('credentials.json', 'staging');

console.log(
  JSON.stringify({
    token: response.access_token.startsWith('eyJ'),
    one: new Set(tokens).size === 1,
    bodies,
    failure: [failure instanceof ApiException, failure.status, failure.code],
    aborted,
    fromFile: fromFile.clientId,
    events: [...new Set(events)].sort((a, b) => a.localeCompare(b)),
    adapters: [typeof tokenMiddleware(manager).onRequest, typeof tokenConfiguration(manager).fetchApi],
  }),
);
