import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { EXIT, EXIT_CODES_HELP } from '../src/commands/exit-code.ts';
import { SETTINGS } from '../src/config.ts';
import { BINARY, binary, finished } from './support/binary.ts';
import { mintmark } from './support/server.ts';
import { testStore } from './support/command-line.ts';

const COMMANDS: string[][] = [
  ['serve'],
  ['migrate'],
  ...['create', 'list', 'show', 'update', 'disable', 'enable', 'delete'].map((verb) => ['api-user', verb]),
  ...['create', 'list', 'reset', 'retire'].map((verb) => ['credential', verb]),
  ...['list', 'rotate'].map((verb) => ['signing-key', verb]),
  ['token'],
  ['secret', 'check'],
  ['doctor'],
];
const LEVELS = [[], ['api-user'], ['credential'], ['signing-key'], ['secret'], ...COMMANDS];

test('every level of the command line has a --help with a usage and an example, on standard output', async () => {
  for (const level of LEVELS) {
    const { code, out, err } = await mintmark([...level, '--help']);
    assert.equal(code, 0, level.join(' '));
    assert.equal(err, '');
    assert.match(out, new RegExp(`^Usage: mintmark ${level.join(' ')}`));
    const [, examples = ''] = out.split(/Examples?:\n/);
    assert.match(examples, new RegExp(`mintmark ${level.join(' ')}`), `${level.join(' ')} has no example`);
    assert.match(out, /-h, --help/);
  }
});

test('mintmark --help lists every command and the exit codes of the program', async () => {
  const { out } = await mintmark(['--help']);
  for (const [command = ''] of COMMANDS) assert.match(out, new RegExp(`^  ${command}\\b`, 'm'));
  assert.ok(out.includes(EXIT_CODES_HELP.trim()));
  for (const code of Object.values(EXIT)) assert.match(out, new RegExp(`^  ${code}  `, 'm'));
});

test('mintmark help <command> is the help of that command', async () => {
  const { code, out } = await mintmark(['help', 'serve']);
  assert.equal(code, 0);
  assert.equal(out, (await mintmark(['serve', '--help'])).out);
});

test('serve --help names every setting with its flag, variable and default', async () => {
  const { out } = await mintmark(['serve', '--help']);
  const text = out.replaceAll(/\s+/g, ' ');
  for (const { env, flag, default: standard } of Object.values(SETTINGS)) {
    assert.ok(text.includes(env), env);
    if (flag !== null) assert.ok(text.includes(`--${flag} `), flag);
    if (standard !== '') assert.ok(text.includes(`[default: ${standard}] [${env}]`), `${env} ${standard}`);
  }
  assert.doesNotMatch(out, /--master-key </, 'arguments can be read by other users of the machine');
});

test('mintmark without a command explains itself with exit code 2', async () => {
  for (const level of [[], ['api-user'], ['credential'], ['signing-key'], ['secret']]) {
    const { code, out, err } = await mintmark(level);
    assert.equal(code, EXIT.usage);
    assert.equal(out, '');
    assert.match(err, /^Usage: mintmark/);
    assert.match(err, /Examples?:\n {2}mintmark/);
  }
});

test('wrong usage has exit code 2, quotes what was wrong, and says where to read more', async () => {
  const usages: [string[], RegExp][] = [
    [['frobnicate'], /unknown command 'frobnicate'/],
    [['api-usr'], /Did you mean api-user\?/],
    [['api-user', 'frobnicate'], /unknown command 'frobnicate'/],
    [['serve', '--frobnicate'], /unknown option '--frobnicate'/],
    [['api-user', 'list', '--jsn'], /Did you mean --json\?/],
    [['api-user', 'create'], /required option '--name <name>'/],
    [['api-user', 'create', '--name'], /'--name <name>' argument missing/],
    [['api-user', 'show'], /missing required argument 'client-id'/],
    [['api-user', 'list', 'surplus'], /too many arguments for 'list'/],
    [['api-user', 'list', '--limit', '-1'], /'--limit <number>' argument '-1' is invalid/],
    [
      ['api-user', 'create', '--name', 'x', '--limit', 'many'],
      /argument 'many' is invalid\. Give a whole number/,
    ],
    [['credential', 'create'], /missing required argument 'client-id'/],
    [
      ['credential', 'create', 'x', '--expires-in', '1.5h'],
      /argument '1\.5h' is invalid\. Give a number with a unit/,
    ],
    [['credential', 'reset', 'x', '--overlap', '90'], /argument '90' is invalid/],
    [['credential', 'retire'], /missing required argument 'credential-id'/],
    [['token'], /give --client-id, or set MINTMARK_CLIENT_ID/],
  ];
  for (const [args, expected] of usages) {
    const { code, out, err } = await mintmark(args);
    assert.equal(code, EXIT.usage, args.join(' '));
    assert.equal(out, '');
    assert.match(err, /^mintmark: /);
    assert.match(err, expected);
    assert.match(err, /--help/);
  }
});

test('the version is that of the package', async () => {
  const url = new URL('../package.json', import.meta.url);
  const { version } = JSON.parse(readFileSync(url, 'utf8')) as { version: string };
  const { code, out } = await mintmark(['--version']);
  assert.equal(code, 0);
  assert.equal(out, `${version}\n`);
});

test('the binary separates results from explanations and gives the exit code to the shell', async () => {
  using store = await testStore();
  const created = await binary(['api-user', 'create', '--name', 'Importer'], { env: store.env });
  assert.equal(created.code, 0);
  assert.match(created.out, /^client_id {6}api_\w{20}\nclient_secret {2}mms_\w+\n$/);
  assert.match(created.err, /shown this once[^]*curl -d client_id=api_/);

  const unknown = await binary(['api-user', 'show', 'nobody'], { env: store.env });
  assert.deepEqual(unknown, {
    code: EXIT.refused,
    out: '',
    err: 'mintmark: There is no API user "nobody": mintmark api-user list shows all.\n',
  });
  assert.equal((await binary(['frobnicate'])).code, EXIT.usage);
  const checked = await binary(['secret', 'check'], { stdin: 'hello\n' });
  assert.equal(checked.code, EXIT.checkFailed);
});

test('a reader that goes away first is no error', async () => {
  const child = spawn(process.execPath, [BINARY, 'serve', '--help'], { stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.destroy();
  const { code, err } = await finished(child);
  assert.equal(code, 0);
  assert.equal(err, '');
});

test('an error repeats no secret and no key that was put in a wrong place', async () => {
  using store = await testStore();
  const secret = 'mms_0123456789_0123456789012345678901234567890123456789012345678';
  const key = '0123456789abcdef'.repeat(4);
  const misplaced = [
    ['secret', 'check', secret],
    ['secret', 'check', 'a password that somebody chose'],
    ['token', `--client-secret=${secret}`],
    ['token', '--client-secret', secret],
    ['api-user', 'show', secret],
    ['credential', 'retire', secret],
    ['credential', 'list', secret],
    ['serve', `--master-key=${key}`],
    ['serve', '--master-key', key],
    ['serve', '--database-url', 'postgres://mintmark:hunter2@db.example/mintmark'],
  ];
  for (const args of misplaced) {
    const { code, out, err } = await store.run(args);
    assert.notEqual(code, 0, args.join(' '));
    const printed = out + err;
    for (const text of [secret, key, 'hunter2', 'a password that somebody chose']) {
      assert.ok(!printed.includes(text), `mintmark ${args.join(' ')} repeats it:\n${printed}`);
    }
  }
});
