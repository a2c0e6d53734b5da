import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { AuthenticationApi, Configuration, ConfigurationError, TokenManager } from '../src/index.ts';
import type { ConfigurationParameters } from '../src/index.ts';
import { startFaultServer } from './support/fault-server.ts';

let directory: string;
before(async () => (directory = await mkdtemp(join(tmpdir(), 'mintmark-client-'))));
after(() => rm(directory, { recursive: true }));

async function file(name: string, content: unknown): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

test('a configuration without parameters has the defaults that the documentation names', () => {
  const configuration = new Configuration();
  assert.equal(configuration.host, 'https://api.criteo.com/marketing');
  assert.equal(configuration.tokenPath, '/oauth2/token');
  assert.equal(configuration.tokenUrl, 'https://api.criteo.com/marketing/oauth2/token');
  assert.equal(configuration.timeoutMs, 10_000);
  assert.deepEqual(configuration.retry, {
    attempts: Infinity,
    baseDelayMs: 250,
    maxDelayMs: 10_000,
    maxRetryAfterMs: 60_000,
    deadlineMs: 120_000,
  });
  assert.equal(configuration.clientId, undefined);
  assert.equal(configuration.clientSecret, undefined);
});

test('a configuration is frozen and drops trailing slashes', () => {
  const configuration = new Configuration({
    host: 'http://localhost:8080/marketing//',
    tokenPath: '/token',
    clientId: 'a',
    clientSecret: 's',
    timeoutMs: undefined,
    retry: { attempts: 2 },
  });
  assert.equal(configuration.tokenUrl, 'http://localhost:8080/marketing/token');
  assert.equal(configuration.clientSecret, 's');
  assert.equal(configuration.timeoutMs, 10_000);
  assert.equal(configuration.retry.attempts, 2);
  assert.equal(configuration.retry.baseDelayMs, 250);
  // @ts-expect-error -- it is read-only
  assert.throws(() => (configuration.clientId = 'b'), TypeError);
});

test('each option with a wrong value is an error quoting the value', () => {
  const wrong: [string, unknown][] = [
    ['host', 'localhost:8080'],
    ['host', 'ftp://example.com'],
    ['host', 'https://example.com/?a=1'],
    ['host', 'https://example.com/#top'],
    ['host', 'https://'],
    ['host', 'http://['],
    ['host', 'https://a:99999'],
    ['host', ''],
    ['tokenPath', 'oauth2/token'],
    ['tokenPath', '/token?x'],
    ['clientId', ''],
    ['clientId', 42],
    ['clientAuthentication', 'header'],
    ['scope', []],
    ['resource', ''],
    ['fetch', 'fetch'],
    ['timeoutMs', 0],
    ['timeoutMs', '10'],
    ['timeoutMs', 2 ** 31],
    ['timeoutMs', Number.NaN],
    ['retry', true],
    ['clock', {}],
    ['onEvent', 1],
  ];
  for (const [option, value] of wrong) {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what a program without types can do
    const parameters = { [option]: value } as ConfigurationParameters;
    assert.throws(
      () => new Configuration(parameters),
      (error) =>
        error instanceof ConfigurationError &&
        error instanceof TypeError &&
        error.code === 'invalid_configuration' &&
        error.option === option &&
        error.message.startsWith(`${option} must be `) &&
        error.message.includes(JSON.stringify(value)),
      `${option}: ${JSON.stringify(value)}`,
    );
  }
});

test('wrong retry policies and unknown options are errors that name them', () => {
  for (const retry of [
    { attempts: 0 },
    { baseDelayMs: -1 },
    { maxDelayMs: Infinity },
    { deadlineMs: Number.NaN },
  ]) {
    const option = `retry.${Object.keys(retry)[0]}`;
    assert.throws(() => new Configuration({ retry }), { name: 'ConfigurationError', option });
  }
  // @ts-expect-error -- a typo
  assert.throws(() => new Configuration({ clientID: 'a' }), {
    option: 'clientID',
    message: /clientID is not one of .*clientId/,
  });
  // @ts-expect-error -- a typo
  assert.throws(() => new Configuration({ retry: { retries: 3 } }), { option: 'retry.retries' });
  // @ts-expect-error -- a name that every object has
  assert.throws(() => new Configuration({ constructor: 1 }), { option: 'constructor' });
});

test('an error quotes neither a secret nor a host with credentials', () => {
  for (const parameters of [{ clientSecret: 12345 }, { host: 'https://me:12345@example.com' }]) {
    assert.throws(
      // @ts-expect-error -- a number is no secret
      () => new Configuration(parameters),
      (error) => error instanceof ConfigurationError && !error.message.includes('12345'),
    );
  }
});

test('a token manager with missing credentials or wrong options names them', () => {
  const complete = new Configuration({ clientId: 'a', clientSecret: 'b' });
  assert.throws(() => new TokenManager(new Configuration({ clientSecret: 'b' })), { option: 'clientId' });
  assert.throws(() => new TokenManager(new Configuration({ clientId: 'a' })), { option: 'clientSecret' });
  assert.throws(() => new TokenManager(complete, { advisoryWindowMs: -1 }), { option: 'advisoryWindowMs' });
  // @ts-expect-error -- no store
  assert.throws(() => new TokenManager(complete, { store: {} }), { option: 'store' });
});

test('fromEnv takes the credentials, and the host only from its parameters', () => {
  const env = {
    MINTMARK_CLIENT_ID: 'id',
    MINTMARK_CLIENT_SECRET: 's e+c',
    MINTMARK_HOST: 'http://wrong.example',
    MINTMARK_BASE_URL: 'http://wrong.example',
  };
  const configuration = Configuration.fromEnv({ timeoutMs: 5 }, env);
  assert.equal(configuration.clientId, 'id');
  assert.equal(configuration.clientSecret, 's e+c');
  assert.equal(configuration.host, 'https://api.criteo.com/marketing');
  assert.equal(configuration.timeoutMs, 5);
  assert.equal(Configuration.fromEnv({ host: 'https://right.example' }, env).host, 'https://right.example');
});

test('fromEnv reads the process environment and names a missing variable', (t) => {
  t.after(() => {
    delete process.env['MINTMARK_CLIENT_ID'];
    delete process.env['MINTMARK_CLIENT_SECRET'];
  });
  assert.throws(() => Configuration.fromEnv(), { option: 'MINTMARK_CLIENT_ID' });
  process.env['MINTMARK_CLIENT_ID'] = 'id';
  assert.throws(() => Configuration.fromEnv(), { option: 'MINTMARK_CLIENT_SECRET' });
  process.env['MINTMARK_CLIENT_SECRET'] = 'secret';
  assert.equal(Configuration.fromEnv().clientSecret, 'secret');
});

test('a secret file is read for each token, so rotation is noticed', async () => {
  await using server = await startFaultServer();
  const path = await file('secret', 'first \n');
  const env = { MINTMARK_CLIENT_ID: 'id', MINTMARK_CLIENT_SECRET_FILE: path };
  const api = new AuthenticationApi(Configuration.fromEnv({ host: server.host }, env));
  await api.oAuth2TokenPost();
  await writeFile(path, 'second\r\n');
  await api.oAuth2TokenPost();
  assert.deepEqual(
    server.requests.map(({ form }) => form.get('client_secret')),
    ['first ', 'second'],
  );
});

test('fromFile reads an object, the default profile, or a named one', async () => {
  const flat = await file('flat.json', { client_id: 'a', client_secret: 'b', host: 'https://a.example/x' });
  const profiles = await file('profiles.json', {
    default: { client_id: 'c', client_secret: 'd' },
    staging: { client_id: 'e', client_secret: 'f', host: 'https://staging.example', note: 'ignored' },
  });
  const told = async (...args: Parameters<typeof Configuration.fromFile>) => {
    const { clientId, clientSecret, host } = await Configuration.fromFile(...args);
    return [clientId, clientSecret, host];
  };
  assert.deepEqual(await told(flat), ['a', 'b', 'https://a.example/x']);
  assert.deepEqual(await told(profiles), ['c', 'd', 'https://api.criteo.com/marketing']);
  assert.deepEqual(await told(profiles, 'staging'), ['e', 'f', 'https://staging.example']);
  assert.deepEqual(await told(flat, undefined, { host: 'https://b.example' }), [
    'a',
    'b',
    'https://b.example',
  ]);
});

test('fromFile names an incomplete file and what it lacks, quoting nothing', async () => {
  const path = await file('broken.json', '{"client_id":"id","client_secret":"very-secret-value"');
  const lacking = await file('lacking.json', { default: { client_id: 'id', secret: 'very-secret-value' } });
  for (const [name, profile] of [
    [path, undefined],
    [lacking, undefined],
    [lacking, 'production'],
    [lacking, '__proto__'],
  ] as const) {
    await assert.rejects(
      Configuration.fromFile(name, profile),
      (error) =>
        error instanceof ConfigurationError &&
        error.option === name &&
        error.message.includes(name) &&
        !error.message.includes('very-secret-value') &&
        error.cause === undefined,
    );
  }
  await assert.rejects(Configuration.fromFile(join(directory, 'missing.json')), { code: 'ENOENT' });
});
