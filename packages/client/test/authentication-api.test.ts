import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { AuthenticationApi, Configuration, ConfigurationError, InlineResponse200 } from '../src/index.ts';
import { awkwardSecrets, clientId, clientSecret, configure } from './support/credentials.ts';
import type { FaultServer } from './support/fault-server.ts';
import { problem, reset, silence, slowBytes, startFaultServer, token } from './support/fault-server.ts';

let server: FaultServer;
before(async () => (server = await startFaultServer()));
after(() => server.close());
beforeEach(() => {
  server.requests.length = 0;
});

test('a call with all three arguments sends the documented form', async () => {
  server.next(token({ access_token: 'abc', expires_in: 899, scope: 'campaigns:read' }));
  const api = new AuthenticationApi(configure(server.host));
  const response = await api.oAuth2TokenPost({ clientId, clientSecret, grantType: 'client_credentials' });

  assert.ok(response instanceof InlineResponse200);
  assert.equal(response.access_token, 'abc');
  assert.equal(response.token_type, 'Bearer');
  assert.equal(response.expires_in, 899);
  assert.equal(response.scope, 'campaigns:read');
  const [request] = server.requests;
  assert.equal(request?.method, 'POST');
  assert.equal(request?.url, '/marketing/oauth2/token');
  assert.equal(request?.headers['content-type'], 'application/x-www-form-urlencoded');
  assert.equal(request?.headers.accept, 'application/json');
  assert.equal(request?.headers.authorization, undefined);
  assert.deepEqual(Object.fromEntries(request?.form ?? []), {
    grant_type: 'client_credentials',
    client_id: clientId,
    client_secret: clientSecret,
  });
});

test('new AuthenticationApi() without a configuration posts to the documented host', async (t) => {
  const original = globalThis.fetch;
  t.after(() => (globalThis.fetch = original));
  const urls: string[] = [];
  globalThis.fetch = (input, init) => {
    const url = input instanceof Request ? input.url : input.toString();
    urls.push(url);
    return original(url.replace('https://api.criteo.com', server.origin), init);
  };
  const api = new AuthenticationApi();
  const { access_token } = await api.oAuth2TokenPost({
    clientId,
    clientSecret,
    grantType: 'client_credentials',
  });
  assert.match(access_token, /^eyJ/);
  assert.deepEqual(urls, ['https://api.criteo.com/marketing/oauth2/token']);
  assert.equal(server.requests[0]?.form.get('client_secret'), clientSecret);
});

test('the default grant type is sent unless another one is given', async () => {
  const api = new AuthenticationApi(configure(server.host));
  await api.oAuth2TokenPost();
  await api.oAuth2TokenPost({ grantType: 'password' });
  assert.deepEqual(
    server.requests.map(({ form }) => form.get('grant_type')),
    ['client_credentials', 'password'],
  );
});

test('parameters of a call beat the configuration, missing ones come from it', async () => {
  const api = new AuthenticationApi(
    configure(server.host, { clientId: 'configured', scope: 'a b', resource: 'https://one.example' }),
  );
  await api.oAuth2TokenPost({
    clientId: 'given',
    clientSecret: 'given too',
    scope: 'c',
    resource: 'urn:two',
  });
  await api.oAuth2TokenPost({ clientId: undefined });
  const [given, configured] = server.requests.map(({ form }) => Object.fromEntries(form));
  assert.deepEqual(given, {
    grant_type: 'client_credentials',
    client_id: 'given',
    client_secret: 'given too',
    scope: 'c',
    resource: 'urn:two',
  });
  assert.equal(configured?.['client_id'], 'configured');
  assert.equal(configured?.['scope'], 'a b');
  assert.equal(configured?.['resource'], 'https://one.example');
});

test('secrets with every awkward character arrive intact in the form', async () => {
  for (const secret of awkwardSecrets) {
    await new AuthenticationApi(configure(server.host)).oAuth2TokenPost({
      clientSecret: secret,
      clientId: secret,
    });
    assert.equal(server.requests.at(-1)?.form.get('client_secret'), secret);
    assert.equal(server.requests.at(-1)?.form.get('client_id'), secret);
  }
});

test('secrets with awkward characters arrive intact in HTTP Basic, outside the form', async () => {
  const api = new AuthenticationApi(configure(server.host, { clientAuthentication: 'basic' }));
  for (const secret of awkwardSecrets) {
    await api.oAuth2TokenPost({ clientId: 'me:and:you', clientSecret: secret });
    const { headers, form } = server.requests.at(-1)!;
    const pair = Buffer.from(headers.authorization?.replace('Basic ', '') ?? '', 'base64').toString('latin1');
    // RFC 6749 §2.3.1: form-decoded after the split at the colon.
    const [id, sent] = pair.split(':').map((part) => new URLSearchParams(`p=${part}`).get('p'));
    assert.equal(id, 'me:and:you');
    assert.equal(sent, secret);
    assert.equal(form.has('client_id') || form.has('client_secret'), false);
  }
});

test('WithHttpInfo also returns status, headers, attempts, request id and send time', async () => {
  server.next(problem(500, 'server_error'), reset, token({}, { 'x-request-id': 'req-7', 'x-other': 'yes' }));
  const begun = Date.now();
  const api = new AuthenticationApi(configure(server.host));
  const { data, status, headers, attempts, requestId, sentAt } = await api.oAuth2TokenPostWithHttpInfo();
  assert.equal(data.expires_in, 900);
  assert.equal(status, 200);
  assert.equal(headers.get('x-other'), 'yes');
  assert.equal(attempts, 3);
  assert.equal(requestId, 'req-7');
  assert.ok(sentAt >= begun - 1 && sentAt <= Date.now() + 1);
});

test('a secret function is called once for a call and its retries', async () => {
  let fetched = 0;
  const api = new AuthenticationApi(
    configure(server.host, { clientSecret: async () => `from the vault ${++fetched}` }),
  );
  server.next(problem(503, 'temporarily_unavailable'), token());
  await api.oAuth2TokenPost();
  await api.oAuth2TokenPost();
  assert.deepEqual(
    server.requests.map(({ form }) => form.get('client_secret')),
    ['from the vault 1', 'from the vault 1', 'from the vault 2'],
  );
});

test('an error of the secret function reaches the caller, nothing is sent', async () => {
  const sealed = new Error('vault is sealed');
  const api = (secret: () => Promise<string>) =>
    new AuthenticationApi(configure(server.host, { clientSecret: secret, timeoutMs: 50 }));
  await assert.rejects(api(() => Promise.reject(sealed)).oAuth2TokenPost(), (error) => error === sealed);
  await assert.rejects(api(async () => '').oAuth2TokenPost(), {
    name: 'ConfigurationError',
    option: 'clientSecret',
  });
  await assert.rejects(api(() => new Promise(() => {})).oAuth2TokenPost(), { name: 'TimeoutError' });
  assert.equal(server.requests.length, 0);
});

test('a missing client id or secret is an error that names it', async () => {
  const api = new AuthenticationApi(new Configuration({ host: server.host }));
  await assert.rejects(api.oAuth2TokenPost({ clientSecret }), {
    name: 'ConfigurationError',
    option: 'clientId',
  });
  await assert.rejects(api.oAuth2TokenPost({ clientId }), {
    name: 'ConfigurationError',
    option: 'clientSecret',
  });
  assert.equal(server.requests.length, 0);
});

test('plain parameters in place of a Configuration are refused with an explanation', () => {
  // @ts-expect-error -- what a program without types can do
  assert.throws(() => new AuthenticationApi({ clientId }), ConfigurationError);
});

test('an aborted signal ends the call with its reason at any moment', async () => {
  const reason = new Error('the user went away');
  const api = new AuthenticationApi(
    configure(server.host, { retry: { baseDelayMs: 60_000, maxDelayMs: 60_000 } }),
  );
  const isReason = (error: unknown) => error === reason;

  await assert.rejects(api.oAuth2TokenPost({}, { signal: AbortSignal.abort(reason) }), isReason);
  assert.equal(server.requests.length, 0);
  for (const answer of [silence, slowBytes, problem(503, 'busy')]) {
    server.next(answer);
    const controller = new AbortController();
    const call = api.oAuth2TokenPost({}, { signal: controller.signal });
    setTimeout(() => controller.abort(reason), 80);
    const begun = performance.now();
    await assert.rejects(call, isReason);
    assert.ok(performance.now() - begun < 1500);
  }
});

test('a long-lived signal keeps no listener of a finished call', async () => {
  const controller = new AbortController();
  const { signal } = controller;
  let listeners = 0;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    listeners += 1;
    add(...args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    listeners -= 1;
    remove(...args);
  };
  const api = new AuthenticationApi(configure(server.host));
  server.next(problem(500, 'server_error'), reset);
  await api.oAuth2TokenPost({}, { signal });
  await new Promise((resolve) => setImmediate(resolve));
  assert.ok(listeners <= 0, `${listeners} listeners left`);
});
