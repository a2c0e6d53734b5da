import assert from 'node:assert/strict';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { SETTINGS, type Config } from '../src/config.ts';
import { loadConfig } from '../src/load-config.ts';
import { mintmark } from './support/server.ts';
import { temporaryFolder } from './support/command-line.ts';

const WRONG: Partial<Record<keyof Config, [value: string, allowed: RegExp][]>> = {
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
  ],
  issuer: [
    ['example.com', /.+/],
    ['https://example.com/#here', /.+/],
  ],
  audience: [['not a uri', /.+/]],
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

test('every number setting refuses what is below its least, above its most, and no number', () => {
  for (const [name, { env, default: standard, value }] of Object.entries(SETTINGS)) {
    if (!/^\d+$/.test(standard) || value === '<port>') continue;
    for (const wrong of ['-1', 'x', '1.5', '99999999999']) {
      assert.throws(
        () => loadConfig({ [env]: wrong }),
        new RegExp(`^ConfigError: ${env}: "${wrong}" is not allowed: a whole number from \\d+ to \\d+$`),
        name,
      );
    }
  }
});

test('a setting that is not allowed stops the start: its name, the value, what is allowed; and nothing is made', async () => {
  const folder = temporaryFolder();
  const dataDir = join(folder, 'data');
  for (const [name, cases] of Object.entries(WRONG)) {
    const { env, flag } = SETTINGS[name as keyof Config];
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
      { MINTMARK_REQUEST_TIMEOUT: '500', MINTMARK_HEADERS_TIMEOUT: '600' },
      /^mintmark: MINTMARK_REQUEST_TIMEOUT: 500 is not allowed: at least MINTMARK_HEADERS_TIMEOUT \(600\)/,
    ],
  ];
  for (const [env, expected] of contradictions) {
    const { code, err } = await mintmark(['serve'], { env });
    assert.equal(code, 2);
    assert.match(err, expected);
  }
});

test('a flag goes before the environment, and an empty value means the default', () => {
  assert.equal(loadConfig({ MINTMARK_PORT: '81' }, { port: '82' }).port, 82);
  assert.equal(loadConfig({ MINTMARK_PORT: '81' }).port, 81);
  assert.equal(loadConfig({ MINTMARK_PORT: '' }).port, 8080);
  assert.equal(loadConfig({}).issuer, 'http://localhost:8080/marketing');
});

test('a setting that is a time takes a number in its unit, or one with a unit', () => {
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
