// Files and environments from Windows, vaults and copy-and-paste: what a setting's text may hold.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { FileTokenStore } from '../src/file-store.ts';
import { AuthenticationApi, Configuration, ConfigurationError } from '../src/index.ts';
import type { ConfigurationParameters, OAuth2TokenPostParameters } from '../src/index.ts';
import { configure } from './support/credentials.ts';
import type { FaultServer } from './support/fault-server.ts';
import { startFaultServer } from './support/fault-server.ts';

const BOM = '\uFEFF';
const JSON_TEXT = '{"client_id":"id","client_secret":"very-secret","host":"http://localhost:8080/x"}';

let directory: string;
let server: FaultServer;
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mintmark-settings-'));
  server = await startFaultServer();
});
after(async () => {
  await server.close();
  await rm(directory, { recursive: true });
});

async function file(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, content);
  return path;
}

/** UTF-16 in either byte order, with its byte order mark or without. */
function utf16(text: string, bigEndian: boolean, mark = BOM): Buffer {
  const bytes = Buffer.from(mark + text, 'utf16le');
  return bigEndian ? bytes.swap16() : bytes;
}

/** A ConfigurationError that names the setting, shows the character escaped, and quotes no secret. */
function shows(option: string, escape: string): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof ConfigurationError, String(error));
    assert.equal(error.option, option);
    assert.ok(error.message.includes(escape), error.message);
    assert.doesNotMatch(error.message, /very-secret|\p{Cc}/u);
    return true;
  };
}

test('fromFile reads a file that begins with a byte order mark', async () => {
  const path = await file('bom.json', BOM + JSON_TEXT);
  const { clientId, clientSecret, host } = await Configuration.fromFile(path);
  assert.deepEqual([clientId, clientSecret, host], ['id', 'very-secret', 'http://localhost:8080/x']);
});

test('fromFile says "is not JSON" of UTF-16, other bytes and broken JSON', async () => {
  const contents = {
    'utf16le.json': utf16(JSON_TEXT, false),
    'utf16be.json': utf16(JSON_TEXT, true),
    'utf16le-unmarked.json': utf16(JSON_TEXT, false, ''),
    'utf16be-unmarked.json': utf16(JSON_TEXT, true, ''),
    'latin1.json': Buffer.from(JSON_TEXT.replace('"id"', '"\u00fcber"'), 'latin1'),
    'env.json': 'client_id=id\nclient_secret=very-secret\n',
    'cut.json': JSON_TEXT.slice(0, -1),
    'empty.json': '',
  };
  for (const [name, content] of Object.entries(contents)) {
    const path = await file(name, content);
    await assert.rejects(Configuration.fromFile(path), shows(path, 'is not JSON'), name);
  }
});

test('a secret file may have a BOM and trailing line breaks', async () => {
  for (const content of ['s+cret', 's+cret\n', 's+cret\r\n', `${BOM}s+cret\r\n`, 's+cret\r\n\r\n']) {
    const path = await file('secret', content);
    const env = { MINTMARK_CLIENT_ID: 'id', MINTMARK_CLIENT_SECRET_FILE: path };
    await new AuthenticationApi(Configuration.fromEnv({ host: server.host }, env)).oAuth2TokenPost();
    assert.equal(server.requests.at(-1)?.form.get('client_secret'), 's+cret', JSON.stringify(content));
  }
});

test('secret files in UTF-16, empty or with control characters are refused unsent', async () => {
  server.requests.length = 0;
  const contents: [string | Uint8Array, string][] = [
    [utf16('very-secret', false), 'UTF-8'],
    [utf16('very-secret', true), 'UTF-8'],
    [utf16('very-secret', false, ''), '\\u0000'],
    [Buffer.from('very-secret\xff', 'latin1'), 'UTF-8'],
    ['very\r\n-secret\n', '\\r'],
    ['very-secret\t\n', '\\t'],
    ['very-secret\u0000', '\\u0000'],
    ['\r\n', 'is empty'],
  ];
  for (const [content, escape] of contents) {
    const path = await file('bad-secret', content);
    const env = { MINTMARK_CLIENT_ID: 'id', MINTMARK_CLIENT_SECRET_FILE: path };
    const api = new AuthenticationApi(Configuration.fromEnv({ host: server.host }, env));
    await assert.rejects(api.oAuth2TokenPost(), shows(path, escape), JSON.stringify(content));
  }
  assert.equal(server.requests.length, 0);
});

const CONTROLS = [
  ['\r', '\\r'],
  ['\n', '\\n'],
  ['\t', '\\t'],
  ['\u0000', '\\u0000'],
  ['\u001b', '\\u001b'],
  ['\u007f', '\\u007f'],
  ['\u0085', '\\u0085'],
  ['\u2028', '\\u2028'],
  ['\ufeff', '\\ufeff'],
  ['\ud800', '\\ud800'],
] as const;

test('every environment variable with a control character is refused, and shown escaped', () => {
  const env = {
    MINTMARK_CLIENT_ID: 'id',
    MINTMARK_CLIENT_SECRET: 'very-secret',
    MINTMARK_CLIENT_SECRET_FILE: '/run/secrets/mintmark',
  };
  for (const name of Object.keys(env) as (keyof typeof env)[]) {
    for (const [character, escape] of CONTROLS) {
      for (const value of [env[name] + character, character + env[name]]) {
        const secretless = name.endsWith('FILE') ? { MINTMARK_CLIENT_SECRET: undefined } : {};
        const changed = { ...env, ...secretless, [name]: value };
        assert.throws(() => Configuration.fromEnv({}, changed), shows(name, escape), name + escape);
      }
    }
  }
});

test('every text option with a control character is refused, and shown escaped', () => {
  const options: ConfigurationParameters = {
    host: 'https://example.com/x',
    tokenPath: '/oauth2/token',
    clientId: 'id',
    clientSecret: 'very-secret',
    clientAuthentication: 'form',
    scope: 'a b',
    resource: 'urn:a',
  };
  for (const [name, value] of Object.entries(options)) {
    for (const [character, escape] of CONTROLS) {
      const parameters = { ...options, [name]: `${value}${character}` };
      assert.throws(() => new Configuration(parameters), shows(name, escape), name + escape);
    }
  }
});

test('every member of a credentials file with a control character is refused', async () => {
  const fields = { client_id: 'id', client_secret: 'very-secret', host: 'https://example.com' };
  for (const [name, value] of Object.entries(fields)) {
    const path = await file('controls.json', JSON.stringify({ ...fields, [name]: `${value}\r` }));
    await assert.rejects(Configuration.fromFile(path), shows(path, `\\r in ${name}`), name);
  }
});

test('paths with a control character are refused, and shown escaped', async () => {
  await assert.rejects(Configuration.fromFile('/etc/mintmark.json\r'), shows('path', '\\r'));
  assert.throws(() => new FileTokenStore('/var/lib/tokens\r'), shows('directory', '\\r'));
});

test('parameters and fetched secrets with control characters are refused unsent', async () => {
  server.requests.length = 0;
  const good: OAuth2TokenPostParameters = {
    clientId: 'id',
    clientSecret: 'very-secret',
    grantType: 'client_credentials',
    scope: 'a',
    resource: 'urn:a',
  };
  const api = new AuthenticationApi(configure(server.host));
  for (const [name, value] of Object.entries(good)) {
    const call = api.oAuth2TokenPost({ ...good, [name]: `${value}\r` });
    await assert.rejects(call, shows(name, '\\r'), name);
  }
  const fetched = new AuthenticationApi(configure(server.host, { clientSecret: () => 'very-secret\n' }));
  await assert.rejects(fetched.oAuth2TokenPost(), shows('clientSecret', '\\n'));
  assert.equal(server.requests.length, 0);
});

test('secrets in other scripts and with joined emoji are still sent', async () => {
  const clientSecret =
    't\u00e4\u00dft \u{1F468}\u200d\u{1F469}\u200d\u{1F467} \u0645\u0641\u062a\u0627\u062d';
  await new AuthenticationApi(configure(server.host, { clientSecret })).oAuth2TokenPost();
  assert.equal(server.requests.at(-1)?.form.get('client_secret'), clientSecret);
});
