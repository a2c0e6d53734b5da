import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { eventually } from '@mintmark/test-support/eventually';
import { exchange, FORM } from '@mintmark/test-support/http';
import { mintmark, startServer, type TestServer } from '@mintmark/test-support/server';
import { newStore, type MadeApiUser } from '@mintmark/test-support/store';

// Addresses in X-Forwarded-For and Forwarded, as proxies and gateways write them. 127.0.0.1 is the trusted proxy.

const FAILURE_LIMIT = 6;

let server: TestServer;
let byForwarded: TestServer;
let here: MadeApiUser;
let documentation: MadeApiUser;
let owner: MadeApiUser;
let forwardedOwner: MadeApiUser;

before(async () => {
  const store = await newStore();
  here = await store.apiUser(
    'Only from the proxy',
    '--allow-network',
    '127.0.0.0/8',
    '--allow-network',
    '::1',
  );
  documentation = await store.apiUser(
    'Only from the documentation networks',
    ...['192.0.2.0/24', '2001:db8::/32'].flatMap((network) => ['--allow-network', network]),
  );
  owner = await store.apiUser('Owner');
  const settings = { MINTMARK_TRUSTED_PROXIES: '127.0.0.1,10.0.0.0/8,2001:db8:ffff::/48' };
  server = await store.start({ ...settings, MINTMARK_FAILURE_LIMIT: String(FAILURE_LIMIT) });
  const other = await newStore();
  forwardedOwner = await other.apiUser('Owner', '--allow-network', '192.0.2.0/24');
  byForwarded = await other.start({ ...settings, MINTMARK_FORWARDED_HEADER: 'Forwarded' });
});
after(async () => {
  await server[Symbol.asyncDispose]();
  await byForwarded[Symbol.asyncDispose]();
});

type Headers = Record<string, string | string[]>;

async function metrics(headers: Headers, at = server): Promise<number> {
  return (await exchangeText(at.port, headers)).status;
}

async function exchangeText(port: number, headers: Headers): Promise<{ status: number }> {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`, { headers: pairs(headers) });
  await response.text();
  return response;
}

const pairs = (headers: Headers): [string, string][] =>
  Object.entries(headers).flatMap(([name, value]) =>
    [value].flat().map((each): [string, string] => [name, each]),
  );

async function ask(user: MadeApiUser, headers: Headers, secret = user.client_secret, at = server) {
  const body = new URLSearchParams({ client_id: user.client_id, client_secret: secret }).toString();
  const reply = await exchange(at.port, { headers: { 'Content-Type': FORM, ...headers }, body });
  const token = reply.body['access_token'];
  if (typeof token === 'string') at.noteSecret(token);
  return reply;
}

const forwardedFor = (value: string): Headers => ({ 'X-Forwarded-For': value });

const READABLE = [
  '192.0.2.9',
  '192.0.2.9:5555',
  '"192.0.2.9"',
  '"192.0.2.9:5555"',
  ' 192.0.2.9\t',
  '192.0.2.9:_port',
  '2001:db8::9',
  '2001:DB8:0:0:0:0:0:9',
  '[2001:db8::9]',
  '[2001:db8::9]:443',
  '"[2001:db8::9]:443"',
  '2001:db8::9%eth0',
  '[2001:db8::9%25eth0]:443',
  '::ffff:192.0.2.9',
  '::FFFF:c000:209',
  '[::ffff:192.0.2.9]:443',
  '0:0:0:0:0:ffff:192.0.2.9',
];

const UNREADABLE = [
  'unknown',
  'Unknown',
  '_hidden',
  '_SEVKISEK:80',
  'garbage',
  '',
  ',',
  '192.0.2.9,',
  '192.0.2.9.',
  '192.0.2.999',
  '192.0.2',
  '0300.0.2.9',
  '192.0.2.9:',
  '192.0.2.9:123456',
  '192.0.2.9 5555',
  '192.0.2.0/24',
  '[192.0.2.9]',
  '192.0.2.9%eth0',
  '"192.0.2.9',
  '[2001:db8::9',
  '2001:db8::9]',
  '[2001:db8::9]443',
  '2001:db8:::9',
  'localhost',
  '127.1',
  '::1::',
  'unix:',
  'null',
  'for=192.0.2.9',
];

test('an address in any spelling of proxies decides allow-lists and metrics', async () => {
  for (const text of READABLE) {
    assert.equal((await ask(documentation, forwardedFor(text))).status, 200, text);
    assert.equal((await ask(here, forwardedFor(text))).status, 403, text);
    assert.equal(await metrics(forwardedFor(text)), 403, text);
  }
});

test('a text that is not an address opens neither metrics nor allow-lists', async () => {
  for (const text of UNREADABLE) {
    assert.equal(await metrics(forwardedFor(text)), 403, `metrics: ${JSON.stringify(text)}`);
    for (const user of [here, documentation]) {
      const { status, body } = await ask(user, forwardedFor(text));
      assert.deepEqual([status, body['error']], [403, 'unauthorized_client'], JSON.stringify(text));
    }
  }
});

test('a text that is not an address opens nothing, whatever the text', async () => {
  const text = fc
    .oneof(
      fc.string({ unit: 'binary-ascii', maxLength: 40 }),
      fc
        .constantFrom(...READABLE)
        .chain((base) =>
          fc
            .tuple(fc.nat(base.length), fc.constantFrom('"', '[', ']', ':', '%', '.', ',', ' ', '0', 'x'))
            .map(([at, inserted]) => base.slice(0, at) + inserted + base.slice(at)),
        ),
    )
    .filter((given) => /^[\t\u0020-\u007e]*$/.test(given) && !/127|::1/.test(given));
  await fc.assert(
    fc.asyncProperty(text, async (given) => {
      assert.equal(await metrics(forwardedFor(given)), 403);
      assert.equal((await ask(here, forwardedFor(given))).status, 403);
    }),
    { numRuns: 150 },
  );
});

test('callers without an address share no budget with others', async () => {
  const wrong = (headers: Headers) => ask(owner, headers, 'a wrong guess');
  const unreadable = ['unknown', '_hidden', 'garbage', ''];
  for (let i = 0; i < FAILURE_LIMIT + 3; i++) await wrong(forwardedFor(unreadable[i % 4] ?? ''));
  assert.equal((await wrong(forwardedFor('garbage'))).status, 429, 'one budget for them all');
  assert.equal((await wrong({})).status, 403, 'the proxy has its own');
  assert.equal((await ask(owner, {})).status, 200);
  assert.equal((await ask(owner, forwardedFor('198.51.100.7:4711'))).status, 200);
});

test('two callers with ports behind one gateway have a budget each', async () => {
  for (let i = 0; i < 25; i++) await ask(owner, forwardedFor(`203.0.113.9:${5000 + i}`), 'a wrong guess');
  assert.equal((await ask(owner, forwardedFor('203.0.113.9'), 'a wrong guess')).status, 429);
  assert.equal((await ask(owner, forwardedFor('203.0.113.10:5555'))).status, 200);
});

test('an IPv6 network has one budget in every spelling of its addresses', async () => {
  const spellings = [
    '2001:db8:0:7::1',
    '2001:DB8:0:7::2',
    '2001:0db8:0000:0007:0:0:0:3',
    '[2001:db8::7:0:0:0:4]:443',
    '2001:db8:0:7:ffff::5%eth1',
    '"[2001:db8:0:7::192.0.2.1]:80"',
  ];
  for (let i = 0; i < FAILURE_LIMIT; i++) await ask(owner, forwardedFor(spellings[i] ?? ''), 'a wrong guess');
  for (const spelling of spellings) {
    assert.equal((await ask(owner, forwardedFor(spelling))).status, 429, spelling);
  }
  assert.equal((await ask(owner, forwardedFor('2001:db8:0:8::1'))).status, 200);
});

test('an address and its IPv4-mapped spelling have one budget', async () => {
  const spellings = ['203.0.113.40', '::ffff:203.0.113.40', '::ffff:cb00:7128', '[::FFFF:203.0.113.40]:1'];
  for (let i = 0; i < FAILURE_LIMIT + 2; i++)
    await ask(owner, forwardedFor(spellings[i % 4] ?? ''), 'a wrong guess');
  for (const spelling of spellings) assert.equal((await ask(owner, forwardedFor(spelling))).status, 429);
});

test('the chain is read from the right past trusted proxies only', async () => {
  const status = async (value: string) => (await ask(documentation, forwardedFor(value))).status;
  assert.equal(await status('192.0.2.1, 10.1.1.1:80, "[2001:db8:ffff::1]:443"'), 200);
  assert.equal(await status('192.0.2.1, 203.0.113.1, 10.1.1.1'), 403, 'what stands left of it is a claim');
  assert.equal(await status('192.0.2.1, garbage, 10.1.1.1'), 403, 'nothing is skipped');
  assert.equal(await status('garbage, 192.0.2.1, 10.1.1.1'), 200, 'a claim may be anything');
  const lines = await ask(documentation, { 'X-Forwarded-For': ['127.0.0.1', '192.0.2.1'] });
  assert.equal(lines.status, 200, 'two lines are one list');
});

test('another forwarding header than the configured one names no address', async () => {
  for (const name of ['Forwarded', 'X-Real-IP']) {
    assert.equal(await metrics({ [name]: 'for=127.0.0.1' }), 403, name);
    assert.equal((await ask(here, { [name]: '127.0.0.1' })).status, 403, name);
  }
  assert.equal(await metrics(forwardedFor('127.0.0.1'), byForwarded), 403);
  assert.equal(await metrics({}), 200, 'the proxy itself');
  assert.equal(await metrics({}, byForwarded), 200);
});

test('an untrusted proxy beside trusted ones opens no metrics', async () => {
  await using beside = await startServer({ env: { MINTMARK_TRUSTED_PROXIES: '192.0.2.1' } });
  assert.equal(await metrics({}, beside), 200);
  for (const name of ['X-Forwarded-For', 'Forwarded', 'X-Real-IP'])
    assert.equal(await metrics({ [name]: '127.0.0.1' }, beside), 403, name);
});

test('Forwarded is read by RFC 7239 if it is the configured header', async () => {
  const status = async (value: string | string[]) =>
    (await ask(forwardedOwner, { Forwarded: value }, undefined, byForwarded)).status;
  for (const value of [
    'for=192.0.2.1',
    'For="192.0.2.1:4711"',
    'for=192.0.2.1:4711;proto=http;by=203.0.113.43',
    'proto=https; FOR="\\192.0.2.1" ;host="a,b;for=10.0.0.1"',
    'for="[::ffff:192.0.2.1]:80"',
    'for=garbage, for=192.0.2.1, for="10.0.0.1:80"',
    'for=192.0.2.1,for=10.0.0.1;by="[2001:db8::1]"',
    ['for="', 'for=192.0.2.1'],
  ]) {
    assert.equal(await status(value), 200, String(value));
  }
  for (const value of [
    '192.0.2.1',
    'for=192.0.2.1, for=203.0.113.1',
    'for=unknown',
    'for=_gazonk',
    'for=192.0.2.1,',
    'for=192.0.2.1, proto=https',
    'for=192.0.2.1;for=192.0.2.1',
    'for=192.0.2.1, for="10.0.0.1',
    'for=192.0.2.1 10.0.0.1',
    'for = 192.0.2.1',
    'host="for=192.0.2.1"',
    'for=',
    ';',
    '',
  ]) {
    assert.equal(await status(value), 403, value);
    assert.equal(await metrics({ Forwarded: value }, byForwarded), 403, value);
  }
});

test('an unreadable address is logged without its text and reported by doctor', async () => {
  const store = await newStore();
  const user = await store.apiUser('Behind a gateway');
  const settings = { MINTMARK_TRUSTED_PROXIES: '127.0.0.1', MINTMARK_FORWARDED_HEADER: 'CF-Connecting-IP' };
  await using proxied = await store.start(settings);
  const env = { ...settings, MINTMARK_DATA_DIR: proxied.dataDir };
  const doctor = async () => (await mintmark(['doctor'], { env })).out;
  assert.equal((await ask(user, { 'CF-Connecting-IP': '192.0.2.1' }, undefined, proxied)).status, 200);
  assert.doesNotMatch(await doctor(), /cf-connecting-ip/i);
  for (let i = 0; i < 50; i++)
    await ask(user, { 'CF-Connecting-IP': `tempting-${i}/192.0.2.1` }, undefined, proxied);
  const logged = () =>
    proxied
      .output()
      .split('\n')
      .filter((line) => line.includes('names no address'));
  await eventually(async () => assert.equal(logged().length, 1));
  assert.match(logged()[0] ?? '', /"cf-connecting-ip"/);
  assert.match(logged()[0] ?? '', /"proxy":"127\.0\.0\.1"/);
  assert.match(logged()[0] ?? '', /"form":"xxxxxxxx-9\/999\.9\.9\.9"/);
  assert.doesNotMatch(proxied.output(), /tempting/);
  await eventually(async () => assert.match(await doctor(), /WARN .*cf-connecting-ip.*127\.0\.0\.1/i));
});
