// Test setup: own store, own limits.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { FORMER_SETTINGS } from '../../src/config/bounds.ts';
import { SETTINGS, type SettingName } from '../../src/config/config.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { mintmark } from '@mintmark/test-support/server';
import { temporaryFolder, testStore } from '@mintmark/test-support/command-line';

const WRONG: Partial<Record<SettingName, [value: string, allowed: RegExp][]>> = {
  port: [
    ['x', /a whole number from 0 to 65535/],
    ['65536', /a whole number from 0 to 65535/],
    ['80.5', /a whole number/],
    ['-1', /a whole number/],
    ['1e3', /a whole number/],
    [' 80', /a whole number/],
  ],
  basePath: [
    ['marketing', /a path such as \/marketing, without a slash at its end/],
    ['/marketing/', /a path such as/],
    ['/', /a path such as/],
    ['/a b', /a path such as/],
    ['/mintmark-sandbox', /it is reserved for sandboxes/],
  ],
  issuer: [
    ['example.com', /.+/],
    ['https://example.com/#here', /.+/],
    ['https://example.com/mintmark-sandbox/marketing', /it is reserved for sandboxes/],
  ],
  audience: [['not a uri', /.+/]],
  privateKeyHosts: [['https://idp.internal', /host names such as idp\.internal, without a port/]],
  databaseUrl: [
    ['./data/mintmark.db', /sqlite: and the path of a file, such as sqlite:\.\/data\/mintmark\.db/],
    ['sqlite:', /sqlite: and the path/],
  ],
  redisUrl: [
    ['localhost:6379', /redis:\/\/user:password@host:6379/],
    ['redis://a,b', /several servers are a redis\+cluster:\/\/ or redis\+sentinel:\/\//],
    ['redis+sentinel://a,b', /the name of the master is missing/],
    ['rediss+cluster://a/1', /a cluster has no numbered databases/],
    ['redis://p%ss@localhost', /has a % that is followed by no two hexadecimal digits/],
  ],
  redisPrefix: [['{a}', /at most 64 letters, digits/]],
  masterKey: [
    ['0123', /64 hexadecimal digits \(openssl rand -hex 32 prints some\)/],
    ['zz'.repeat(32), /64 hexadecimal digits/],
  ],
  firstApiUser: [['yes', /true or false/]],
  logLevel: [['verbose', /one of trace, debug, info, warn, error, silent/]],
  signingAlgorithm: [['HS256', /one of ES256, EdDSA, RS256/]],
  trustedProxies: [['10.0.0.0/8, proxy.example', /"proxy\.example" is not an IP address or a network/]],
};

test('every number setting refuses values out of range and non-numbers', () => {
  for (const [name, { env, default: standard, value }] of Object.entries(SETTINGS)) {
    if (!/^\d+$/.test(standard) || value === '<port>') continue;
    for (const wrong of ['-1', 'x', '1.5', '99999999999']) {
      assert.throws(
        () => loadConfig({ [env]: wrong }),
        new RegExp(`^AppError: ${env}: "${wrong}" is not allowed: a whole number from \\d+ to \\d+$`),
        name,
      );
    }
  }
});

test('a wrong setting stops the start with its name, value and bounds', async () => {
  const folder = temporaryFolder();
  const dataDir = join(folder, 'data');
  for (const [name, cases] of Object.entries(WRONG)) {
    const { env, flag } = SETTINGS[name as SettingName];
    for (const [value, allowed] of cases) {
      // In a URL with a mistake, any part may be the password.
      const url = value.startsWith('redis') ? '"redis…"' : JSON.stringify(value);
      const shown = name === 'masterKey' ? 'the value given' : url;
      const byVariable = await mintmark(['serve', '--data-dir', dataDir], { env: { [env]: value } });
      assert.equal(byVariable.code, 2, `${env}=${value}`);
      assert.equal(byVariable.out, '');
      assert.match(byVariable.err, /^mintmark: [^\n]+\n$/);
      assert.ok(byVariable.err.startsWith(`mintmark: ${env}: ${shown} is not allowed: `), byVariable.err);
      assert.match(byVariable.err, allowed);
      if (name === 'masterKey') assert.ok(!byVariable.err.includes(value), 'a key is never quoted');
      if (flag === null) continue;
      const byFlag = await mintmark(['serve', '--data-dir', dataDir, `--${flag}=${value}`]);
      assert.equal(byFlag.code, 2);
      assert.ok(byFlag.err.startsWith(`mintmark: --${flag}: ${shown} is not allowed: `), byFlag.err);
    }
  }
  assert.ok(!existsSync(dataDir));
  rmSync(folder, { recursive: true });
});

test('several wrong settings are all named at once, a line each', async () => {
  const { code, err } = await mintmark(['serve', '--drain', 'soon'], {
    env: { MINTMARK_PORT: 'x', MINTMARK_MASTER_KEY: 'sesame', MINTMARK_LOG_LEVEL: 'loud' },
  });
  assert.equal(code, 2);
  const lines = err.trimEnd().split('\n');
  assert.deepEqual(
    lines.map((line) => line.split(': ')[1]),
    ['MINTMARK_PORT', 'MINTMARK_MASTER_KEY', 'MINTMARK_LOG_LEVEL', '--drain'],
  );
  assert.ok(!err.includes('sesame'));
});

test('settings that contradict each other are named with both values', async () => {
  const contradictions: [Record<string, string>, RegExp][] = [
    [
      { MINTMARK_KEY_ANNOUNCE: '100', MINTMARK_JWKS_MAX_AGE: '60' },
      /^mintmark: MINTMARK_KEY_ANNOUNCE: 100 is not allowed: at least twice MINTMARK_JWKS_MAX_AGE \(60\)/,
    ],
    [
      { MINTMARK_STALE_MAX: '500', MINTMARK_STALE_DRAIN: '600' },
      /^mintmark: MINTMARK_STALE_DRAIN: 600 is not allowed: less than MINTMARK_STALE_MAX \(500\)/,
    ],
  ];
  for (const [env, expected] of contradictions) {
    const { code, err } = await mintmark(['serve'], { env });
    assert.equal(code, 2);
    assert.match(err, expected);
  }
});

test('a flag beats the environment, and an empty value means default', () => {
  assert.equal(loadConfig({ MINTMARK_PORT: '81' }, { port: '82' }).port, 82);
  assert.equal(loadConfig({ MINTMARK_PORT: '81' }).port, 81);
  assert.equal(loadConfig({ MINTMARK_PORT: '' }).port, 8080);
  assert.equal(loadConfig({}).issuer, 'http://localhost:8080/marketing');
});

test('a time setting takes a plain number or one with a unit', () => {
  for (const [given, seconds] of Object.entries({
    '300': 300,
    '300s': 300,
    '5m': 300,
    '1h': 3600,
    '1d': 86_400,
  })) {
    assert.equal(loadConfig({ MINTMARK_TOKEN_LIFE: given }).tokenLifeSeconds, seconds, given);
  }
  assert.equal(loadConfig({ MINTMARK_CHANGE_POLL: '300ms' }).changePollMs, 300);
  assert.equal(loadConfig({ MINTMARK_DRAIN: '2s' }).drainMs, 2000);
  assert.equal(loadConfig({ MINTMARK_AUDIT_KEPT: '48h' }).auditKeptDays, 2);
  for (const given of ['1.5h', '1500ms', '5 m', '5M', '5w', '25h', '2s']) {
    const expected =
      /MINTMARK_TOKEN_LIFE: ".*" is not allowed: a whole number from 10 to 86400, or as long with a unit: .*15m/;
    assert.throws(() => loadConfig({ MINTMARK_TOKEN_LIFE: given }), expected, given);
  }
});

test('a removed setting stops the start and says what became of it', async () => {
  const env = { MINTMARK_HEADERS_TIMEOUT: '20000', MINTMARK_USAGE_HOURS_KEPT: '9' };
  const { code, err } = await mintmark(['serve', '--unknown-max', '5', '--host', ''], { env });
  assert.equal(code, 2);
  assert.deepEqual(err.trimEnd().split('\n').toSorted(), [
    'mintmark: --unknown-max: this is no longer a setting: Mintmark always uses 10000. Remove it.',
    'mintmark: MINTMARK_HEADERS_TIMEOUT: this is no longer a setting: Mintmark always uses 10s. Remove it.',
    'mintmark: MINTMARK_USAGE_HOURS_KEPT: this is no longer a setting: Mintmark always uses 7 days. Remove it.',
  ]);
  assert.equal(Object.keys(FORMER_SETTINGS).length, 26);
});

test('a test overrides a bound by a variable of its own', () => {
  assert.equal(loadConfig({}).unknownTtlMs, 5000);
  assert.equal(loadConfig({ MINTMARK_TEST_UNKNOWN_TTL: '0' }).unknownTtlMs, 0);
});

/** Each with how it is shown. */
const UNSEEN: readonly [character: string, shown: string][] = [
  ['\r', String.raw`\r`],
  ['\n', String.raw`\n`],
  ['\r\n', String.raw`\r\n`],
  ['\t', String.raw`\t`],
  ['\0', String.raw`\u0000`],
  ['\x1b', String.raw`\u001b`],
  ['\x7f', String.raw`\u007f`],
  ['\x85', String.raw`\u0085`],
  ['\ufeff', String.raw`\ufeff`],
];

/** Something that each setting without a default would take. */
const GOOD: Partial<Record<SettingName, string>> = {
  issuer: 'https://api.example.com',
  audience: 'https://api.example.com',
  databaseUrl: 'sqlite:./mintmark.db',
  redisUrl: 'redis://localhost',
  masterKey: 'ab'.repeat(32),
  databasePassword: 'a password of the database',
  redisPassword: 'a password of Redis',
  redisSentinelPassword: 'a password of the Sentinels',
};

test('every setting refuses control characters and byte order marks, and shows them', () => {
  for (const [name, { env, flag, default: standard }] of Object.entries(SETTINGS)) {
    const good = GOOD[name as SettingName] ?? (standard || './some/path');
    for (const [character, shown] of UNSEEN) {
      for (const value of [
        good + character,
        character + good,
        good.slice(0, 1) + character + good.slice(1),
      ]) {
        const secret = /password$|masterKey$/i.test(name);
        const named = (text: string) =>
          secret
            ? /: the value given is not allowed/.test(text)
            : name === 'redisUrl' || text.includes(shown);
        const expected = (error: unknown) =>
          error instanceof Error &&
          error.message.includes('is not allowed: it holds a ') &&
          error.message.includes(shown.slice(0, 2)) &&
          named(error.message) &&
          !(secret && error.message.includes(good)) &&
          !/[\p{Cc}\ufeff]/u.test(error.message);
        assert.throws(() => loadConfig({ [env]: value }), expected, `${env}=${JSON.stringify(value)}`);
        if (flag !== null)
          assert.throws(
            () => loadConfig({}, { [name]: value }),
            expected,
            `--${flag}=${JSON.stringify(value)}`,
          );
      }
    }
  }
});

/** Spaces, and characters without a shape, that a file of variables keeps around a value and no editor shows. */
const SURROUNDING: readonly [space: string, shown: string][] = [
  [' ', ' '],
  ['\u00a0', String.raw`\u00a0`],
  ['\u2028', String.raw`\u2028`],
  ['\u200b', String.raw`\u200b`],
];

test('every setting but passwords refuses white space around it, and shows it', () => {
  for (const [name, { env, default: standard }] of Object.entries(SETTINGS)) {
    if (/password$|masterKey$/i.test(name)) continue;
    const good = GOOD[name as SettingName] ?? (standard || './some/path');
    for (const [space, shown] of SURROUNDING) {
      for (const value of [good + space, space + good, space]) {
        const expected = (error: unknown) =>
          error instanceof Error &&
          error.message.startsWith(`${env}: `) &&
          (name === 'redisUrl' || error.message.includes(shown));
        assert.throws(() => loadConfig({ [env]: value }), expected, `${env}=${JSON.stringify(value)}`);
      }
    }
  }
  assert.throws(
    () => loadConfig({ MINTMARK_DATA_DIR: '/srv/data ' }),
    /^AppError: MINTMARK_DATA_DIR: "\/srv\/data " is not allowed: it begins or ends with white space: remove it$/,
  );
  // A space may be part of a password that was chosen in another system.
  assert.ok(
    loadConfig({
      DATABASE_URL: 'postgres://mintmark@localhost/mintmark',
      DATABASE_PASSWORD: ' chosen elsewhere ',
    }),
  );
});

test('a path with a carriage return stops the start and makes nothing', async () => {
  const folder = temporaryFolder();
  const dataDir = `${folder}/data\r`;
  for (const [env, value] of [
    ['MINTMARK_DATA_DIR', dataDir],
    ['MINTMARK_MASTER_KEY_FILE', `${folder}/master.key\r`],
    ['DATABASE_URL', `sqlite:${folder}/mintmark.db\r`],
  ] as const) {
    for (const args of [['serve'], ['migrate'], ['doctor'], ['api-user', 'create', '--name', 'n']]) {
      const { code, out, err } = await mintmark(args, {
        env: { MINTMARK_DATA_DIR: folder, DATABASE_URL: `sqlite:${folder}/mintmark.db`, [env]: value },
      });
      assert.equal(code, args[0] === 'doctor' ? 6 : 2, `${args.join(' ')}: ${out}${err}`);
      assert.match(out + err, new RegExp(`${env}: ".*\\\\r" is not allowed: it holds a control character`));
    }
    assert.deepEqual(readdirSync(folder), []);
  }
  rmSync(folder, { recursive: true });
});

test('a database or Redis URL refuses control characters behind percent signs', () => {
  for (const url of [
    'postgres://ada%0d@localhost/mintmark',
    'postgres://ada:pass%00word@localhost/mintmark',
    'postgres://ada@localhost/mint%0amark',
    'postgres://ada@localhost/mintmark?sslrootcert=/a%0d',
    'redis://ada%0d:secret@localhost',
    'redis+sentinel://localhost/name%0d',
  ]) {
    const env = url.startsWith('redis') ? 'REDIS_URL' : 'DATABASE_URL';
    assert.throws(
      () => loadConfig({ [env]: url }),
      /is not allowed: the [a-z ]+ holds a control character/,
      url,
    );
  }
});

test('a text that was not UTF-8 in the environment is refused', () => {
  assert.throws(() => loadConfig({ MINTMARK_DATA_DIR: './caf\ufffd' }), /is not allowed: it is not UTF-8/);
});

test('a master key file may end in any line break', async () => {
  using store = await testStore({ keys: true });
  const file = join(store.dataDir, 'master.key');
  const key = readFileSync(file, 'utf8').trim();
  for (const text of [key, `${key}\n`, `${key}\r\n`, `\ufeff${key}\r\n`]) {
    writeFileSync(file, text);
    assert.match(await store.cli('doctor'), /ok {4}master key/);
  }
  for (const text of [
    `${key.slice(0, 32)}\n${key.slice(32)}`,
    `${key}\0`,
    Buffer.from(`\ufeff${key}`, 'utf16le'),
  ]) {
    writeFileSync(file, text);
    const { code, out } = await store.run(['doctor']);
    assert.equal(code, 6, out);
    assert.match(out, /FAIL {2}master key .* does not hold 64 hexadecimal digits/);
  }
});

test('the token command refuses credentials with control characters in the environment', async () => {
  for (const env of [
    { MINTMARK_CLIENT_ID: 'api_x\r', MINTMARK_CLIENT_SECRET: 'a secret' },
    { MINTMARK_CLIENT_ID: 'api_x', MINTMARK_CLIENT_SECRET: 'a secret\r' },
  ]) {
    const { code, err } = await mintmark(['token', '--url', 'http://127.0.0.1:1'], { env });
    assert.equal(code, 2, err);
    assert.match(
      err,
      /^mintmark: MINTMARK_CLIENT_\w+: .* is not allowed: it holds a control character \(\\r\): remove it/,
    );
    assert.doesNotMatch(err, /a secret/);
  }
});
