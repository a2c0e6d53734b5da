import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { EXIT, EXIT_CODES_HELP } from '../../src/commands/exit-code.ts';
import { SETTINGS } from '../../src/config/config.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { BINARY, binary, finished } from '@mintmark/test-support/binary';
import { mintmark } from '@mintmark/test-support/server';
import { testStore } from '@mintmark/test-support/command-line';

/** Every command there is, read from the help itself, so that a new one is not forgotten. */
async function allLevels(): Promise<string[][]> {
  const levels: string[][] = [];
  const open: string[][] = [[]];
  for (let level = open.shift(); level !== undefined; level = open.shift()) {
    levels.push(level);
    const { out } = await mintmark([...level, '--help']);
    const [, listed = ''] = /\nCommands:\n([^]*?)\n\n/.exec(`${out}\n\n`) ?? [];
    for (const [, name = ''] of listed.matchAll(/^ {2}([a-z-]+)/gm)) {
      if (name !== 'help') open.push([...level, name]);
    }
  }
  return levels;
}

const LEVELS = await allLevels();
const COMMANDS = LEVELS.filter((level) => level.length > 0);

test('the levels of the command line are found in the help', () => {
  const names = LEVELS.map((level) => level.join(' '));
  for (const known of ['serve', 'api-user create', 'credential reset', 'audit verify', 'store restore']) {
    assert.ok(names.includes(known), known);
  }
  assert.ok(names.length > 30, names.join(', '));
});

test('every command level has a --help with usage and example on stdout', async () => {
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

test('mintmark help prints the help of any command, nested ones too', async () => {
  for (const level of LEVELS) {
    const { code, out, err } = await mintmark(['help', ...level]);
    assert.deepEqual([code, err], [0, ''], level.join(' '));
    assert.equal(out, (await mintmark([...level, '--help'])).out, level.join(' '));
  }
  const nested = await mintmark(['credential', 'help', 'reset']);
  assert.equal(nested.out, (await mintmark(['credential', 'reset', '--help'])).out);
});

test('mintmark help quotes an unknown command, exit code 2', async () => {
  const usages = [
    ['help', 'frobnicate'],
    ['help', 'credential', 'frobnicate'],
    ['help', 'serve', 'frobnicate'],
  ];
  for (const args of usages) {
    const { code, out, err } = await mintmark(args);
    assert.deepEqual([code, out], [EXIT.usage, ''], args.join(' '));
    assert.match(err, /^mintmark: unknown command 'frobnicate'/, args.join(' '));
  }
});

test('every default in every help that is a time has a unit', async () => {
  for (const level of LEVELS) {
    const { out } = await mintmark([...level, '--help']);
    const text = out.replaceAll(/\s+/g, ' ');
    const options = text.split(/ (?=--[a-z-]+ <(?:seconds|ms|hours|days|duration)> )/).slice(1);
    for (const option of options) {
      const [, standard] = /^.*?[[(]default: ([^\])]*)[\])]/.exec(option.split(' --')[0] ?? '') ?? [];
      if (standard !== undefined) assert.match(standard, /^(0|\d+(ms|s|m|h|d))$/, option.slice(0, 80));
    }
  }
  const { out } = await mintmark(['credential', 'reset', '--help']);
  assert.match(out, /--overlap <duration> .*\(default: 24h\)/);
});

test('serve --help names every setting with its flag, variable and default', async () => {
  const { out } = await mintmark(['serve', '--help']);
  const text = out.replaceAll(/\s+/g, ' ');
  for (const { env, flag, default: standard, value } of Object.values(SETTINGS)) {
    assert.ok(text.includes(env), env);
    if (flag !== null) assert.ok(text.includes(`--${flag} ${value}`), flag);
    if (standard === '') continue;
    const isTime = /^<(seconds|ms|hours|days)>$/.test(value);
    const [, shown = ''] = new RegExp(`\\[default: ([^\\]]*)\\] \\[${env}\\]`).exec(text) ?? [];
    if (isTime) assert.equal(loadedFrom(env, shown), loadedFrom(env, standard), `${env} ${shown}`);
    else assert.equal(shown, standard, env);
  }
  for (const shown of [
    '--key-rotation <seconds> A signing key is replaced after this time; 0: only by command. [default: 90d]',
  ]) {
    assert.ok(text.includes(shown), shown);
  }
  assert.doesNotMatch(out, /--master-key </, 'arguments can be read by other users of the machine');
});

/** What a setting is, read from the text that the help shows. */
function loadedFrom(env: string, text: string): unknown {
  const name = (Object.keys(SETTINGS) as (keyof typeof SETTINGS)[]).find((key) => SETTINGS[key].env === env);
  return loadConfig({ [env]: text })[name!];
}

test('mintmark without a command explains itself with exit code 2', async () => {
  for (const level of [[], ['api-user'], ['credential'], ['signing-key'], ['secret']]) {
    const { code, out, err } = await mintmark(level);
    assert.equal(code, EXIT.usage);
    assert.equal(out, '');
    assert.match(err, /^Usage: mintmark/);
    assert.match(err, /Examples?:\n {2}mintmark/);
  }
});

test('wrong usage has exit code 2, a quotation, and a help pointer', async () => {
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
  const url = new URL('../../package.json', import.meta.url);
  const { version } = JSON.parse(readFileSync(url, 'utf8')) as { version: string };
  const { code, out } = await mintmark(['--version']);
  assert.equal(code, 0);
  assert.equal(out, `${version}\n`);
});

test('the binary separates results from explanations and returns the exit code', async () => {
  using store = await testStore();
  const created = await binary(['api-user', 'create', '--name', 'Importer'], { env: store.env });
  assert.equal(created.code, 0);
  assert.match(created.out, /^client_id {6}api_\w{20}\nclient_secret {2}mms_\w+\n$/);
  assert.match(created.err, /shown only once[^]*curl -d client_id=api_/);

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

test('an error repeats no secret or key from a wrong place', async () => {
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
