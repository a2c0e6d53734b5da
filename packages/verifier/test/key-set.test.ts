import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newKey, startIssuer, type TestIssuer } from './support/issuer.ts';
import { refused } from './support/refused.ts';
import { eventually } from '@mintmark/test-support/eventually';

// security.md, line 10: how the verifier comes by keys, and what it does when it cannot.

const tokens = (issuer: TestIssuer, count: number, header = {}) =>
  Array.from({ length: count }, () => issuer.token({}, header));

/** Lets a background fetch that was started come to its end. */
async function settled(issuer: TestIssuer, fetches: number): Promise<void> {
  await eventually(() => issuer.keySetFetches >= fetches, 5000);
  await new Promise((r) => setTimeout(r, 50)); // in which one fetch too many would come
  assert.equal(issuer.keySetFetches, fetches);
}

test('any number of first requests cause one fetch of each document', async () => {
  await using issuer = await startIssuer();
  const verifier = issuer.verifier();
  await Promise.all(tokens(issuer, 200).map((token) => verifier.verify(token)));
  assert.deepEqual([issuer.metadataFetches, issuer.keySetFetches], [1, 1]);
});

test('security 10: 200 simultaneous unknown key ids cause at most two fetches', async () => {
  await using issuer = await startIssuer();
  const verifier = issuer.verifier();
  await verifier.ready();
  const flood = Array.from({ length: 200 }, (_, i) => issuer.token({}, { kid: `unknown-${i}` }));
  const errors = await Promise.all(flood.map((token) => refused(verifier.verify(token), 'unknown_key')));
  assert.ok(errors.every((error) => error.status === 401));
  assert.ok(issuer.keySetFetches <= 3, `${issuer.keySetFetches} fetches`);
});

test('security 10: a minute of unknown key ids causes bounded fetches', async () => {
  await using issuer = await startIssuer();
  const verifier = issuer.verifier();
  await verifier.ready();
  for (let i = 0; i < 600; i += 1) {
    issuer.nowMs += 100;
    await refused(verifier.verify(issuer.token({}, { kid: `unknown-${i}` })), 'unknown_key');
    await verifier.verify(issuer.token());
  }
  const causedByFlood = issuer.keySetFetches - 1;
  assert.ok(causedByFlood <= 4 + 6, `${causedByFlood} fetches`); // four at once, one each ten seconds
});

test('one repeated unknown key id is fetched once in ten seconds', async () => {
  await using issuer = await startIssuer();
  const verifier = issuer.verifier();
  await verifier.ready();
  const unknown = () => refused(verifier.verify(issuer.token({}, { kid: 'unknown' })), 'unknown_key');
  for (let i = 0; i < 50; i += 1) await unknown();
  assert.equal(issuer.keySetFetches, 2);
  issuer.nowMs += 10_001;
  await unknown();
  assert.equal(issuer.keySetFetches, 3);
});

test('security 10: a new key is accepted at once with one fetch', async () => {
  await using issuer = await startIssuer();
  const verifier = issuer.verifier();
  await verifier.ready();
  issuer.keys = [newKey(), ...issuer.keys];
  await Promise.all(tokens(issuer, 100).map((token) => verifier.verify(token)));
  assert.equal(issuer.keySetFetches, 2);
  assert.equal(issuer.lastHeaders['cache-control'], 'no-cache');
});

test('security 10: a new key is accepted in ten seconds during a flood', async () => {
  await using issuer = await startIssuer();
  const verifier = issuer.verifier();
  await verifier.ready();
  const flood = (i: number) => refused(verifier.verify(issuer.token({}, { kid: `unknown-${i}` })));
  for (let i = 0; i < 50; i += 1) await flood(i);
  issuer.keys = [newKey(), ...issuer.keys];
  issuer.nowMs += 10_000;
  await flood(51);
  await verifier.verify(issuer.token());
});

test('the key set renews in the background at half its life', async () => {
  await using issuer = await startIssuer();
  const verifier = issuer.verifier();
  await verifier.verify(issuer.token());
  issuer.nowMs += 149_000;
  await verifier.verify(issuer.token());
  assert.equal(issuer.keySetFetches, 1);
  issuer.nowMs += 2_000;
  let release: (() => void) | undefined;
  issuer.answer = (_request, response) => {
    release = () => response.end(JSON.stringify({ keys: issuer.keys.map((key) => key.jwk) }));
  };
  for (const token of tokens(issuer, 20)) await verifier.verify(token);
  await settled(issuer, 2);
  assert.ok(release !== undefined);
  release();
  await settled(issuer, 2);
});

test('security 10: an expired key set is renewed first, dropping removed keys', async () => {
  await using issuer = await startIssuer();
  const verifier = issuer.verifier();
  const token = issuer.token();
  await verifier.verify(token);
  issuer.keys = [newKey()];
  issuer.nowMs += 301_000;
  await refused(verifier.verify(token), 'unknown_key');
});

test('an unchanged key set is answered with 304 and kept', async () => {
  await using issuer = await startIssuer();
  const verifier = issuer.verifier();
  await verifier.verify(issuer.token());
  issuer.nowMs += 301_000;
  await verifier.verify(issuer.token());
  assert.deepEqual([issuer.keySetFetches, issuer.notModified], [2, 1]);
  issuer.nowMs += 100_000;
  await verifier.verify(issuer.token());
  assert.equal(issuer.keySetFetches, 2);
});

test('security 10: a ten-minute outage harms nobody and causes few fetches', async () => {
  await using issuer = await startIssuer();
  const verifier = issuer.verifier();
  const failures: unknown[] = [];
  const observed = issuer.verifier({ onKeySetFailure: (error) => failures.push(error) });
  await Promise.all([verifier.ready(), observed.ready()]);
  await issuer.stop();
  for (let second = 0; second < 600; second += 1) {
    issuer.nowMs += 1000;
    await verifier.verify(issuer.token());
    await observed.verify(issuer.token());
    if (second % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await eventually(() => failures.length > 0);
  assert.ok(failures.length < 60, `${failures.length} tries`);
  await issuer.restart();
  issuer.keys = [newKey()];
  await eventually(async () => {
    issuer.nowMs += 31_000; // once more if a try of before ends only now
    await verifier.verify(issuer.token());
  });
});

test('security 10: stale keys serve their stated time, then 503 with Retry-After', async () => {
  await using issuer = await startIssuer();
  const verifier = issuer.verifier({ staleKeysSeconds: 3600 });
  const early = issuer.token({ exp: Math.floor(issuer.nowMs / 1000) + 10_000 });
  await verifier.verify(early);
  await issuer.stop();
  issuer.nowMs += (300 + 3600) * 1000 - 1;
  await verifier.verify(early);
  await verifier.verify(issuer.token());
  issuer.nowMs += 1;
  for (const token of [early, issuer.token()]) {
    const error = await refused(verifier.verify(token), 'key_set_unavailable');
    assert.equal(error.code, 'authorization-unavailable');
    assert.equal(error.status, 503);
    assert.equal(error.wwwAuthenticate, undefined);
    assert.ok((error.retryAfterSeconds ?? 0) >= 1 && (error.retryAfterSeconds ?? 0) <= 30);
  }
  await issuer.restart();
  issuer.nowMs += 31_000;
  await verifier.verify(early);
});

test('an absent issuer is asked at growing intervals and used once there', async () => {
  await using issuer = await startIssuer();
  let fetches = 0;
  const counted: typeof fetch = (input, init) => {
    fetches += 1;
    return fetch(input, init);
  };
  const verifier = issuer.verifier({ fetch: counted });
  await issuer.stop();
  for (const token of tokens(issuer, 100)) await refused(verifier.verify(token), 'key_set_unavailable');
  assert.equal(fetches, 1);
  for (let second = 0; second < 120; second += 1) {
    issuer.nowMs += 1000;
    await refused(verifier.ready(), 'key_set_unavailable');
  }
  assert.ok(fetches > 5 && fetches < 20, `${fetches} fetches`);
  await issuer.restart();
  issuer.nowMs += 30_000;
  await verifier.verify(issuer.token());
});

test('a silent issuer costs the stated time once, not per request', async () => {
  await using issuer = await startIssuer();
  const verifier = issuer.verifier({ fetchTimeoutMs: 100 });
  await verifier.verify(issuer.token());
  issuer.answer = () => {};
  issuer.nowMs += 301_000;
  const startedAt = performance.now();
  for (const token of tokens(issuer, 50)) await verifier.verify(token);
  assert.ok(performance.now() - startedAt < 1000);
  assert.equal(issuer.keySetFetches, 2);
});

test('a fetch that heeds no signal is given up all the same', async () => {
  await using issuer = await startIssuer();
  const verifier = issuer.verifier({ fetchTimeoutMs: 50, fetch: () => new Promise(() => {}) });
  const held = setTimeout(() => {}, 5000); // nothing of the verifier keeps the process alive
  await refused(verifier.verify(issuer.token()), 'key_set_unavailable');
  clearTimeout(held);
});

test('an unknown key id during an outage is 401, never 5xx', async () => {
  await using issuer = await startIssuer();
  const verifier = issuer.verifier();
  await verifier.ready();
  await issuer.stop();
  const error = await refused(verifier.verify(issuer.token({}, { kid: 'unknown' })), 'unknown_key');
  assert.equal(error.status, 401);
});

test('answers that are not a key set are failures; keys stay', async () => {
  const bodies = ['', 'x', '[]', 'null', '{}', '{"keys":{}}', `{"keys":[${'1,'.repeat(200_000)}1]}`];
  for (const body of bodies) {
    await using issuer = await startIssuer();
    const failures: unknown[] = [];
    const verifier = issuer.verifier({ onKeySetFailure: (error) => void failures.push(error) });
    await verifier.verify(issuer.token());
    issuer.answer = (_request, response) => response.end(body);
    issuer.nowMs += 301_000;
    await verifier.verify(issuer.token());
    assert.equal(failures.length, 1, body.slice(0, 20));
  }
});

test('an answer without end is given up at the size limit', async () => {
  await using issuer = await startIssuer();
  let sent = 0;
  issuer.answer = (_request, response) => {
    const more = () => {
      while (!response.destroyed && response.write(Buffer.alloc(16_384, ' '))) sent += 16_384;
      response.once('drain', more);
    };
    more();
  };
  const error = await refused(issuer.verifier().verify(issuer.token()), 'key_set_unavailable');
  assert.match((error.cause as Error).message, /more than 262144 bytes/);
  assert.ok(sent < 20_000_000);
});

test('redirects, 404 and 500 are failures: nobody is sent to another host', async () => {
  await using other = await startIssuer();
  for (const status of [301, 302, 307, 404, 500, 204]) {
    await using issuer = await startIssuer(other.keys);
    issuer.answer = (_request, response) =>
      void response.writeHead(status, { location: `${other.url}/jwks` }).end();
    await refused(issuer.verifier().verify(issuer.token()), 'key_set_unavailable');
  }
  assert.equal(other.keySetFetches, 0);
});

test('metadata of another issuer or without a safe URL is refused', async () => {
  const changes = [{ issuer: 'https://evil.example' }, { jwks_uri: 5 }, { jwks_uri: 'file:///etc/passwd' }];
  for (const metadata of [...changes, { jwks_uri: 'http://keys.example/jwks' }, { jwks_uri: 'not a URL' }]) {
    await using issuer = await startIssuer();
    issuer.metadata = metadata;
    await refused(issuer.verifier().verify(issuer.token()), 'key_set_unavailable');
    assert.equal(issuer.keySetFetches, 0);
  }
});

test('a given jwksUrl needs no metadata; plain http is local only', async () => {
  await using issuer = await startIssuer();
  await issuer.verifier({ jwksUrl: `${issuer.url}/jwks` }).verify(issuer.token());
  assert.equal(issuer.metadataFetches, 0);
  assert.throws(() => issuer.verifier({ jwksUrl: 'http://keys.example/jwks' }), /is not https/);
  assert.throws(() => issuer.verifier({ issuer: 'http://auth.example' }), /is not https/);
  assert.doesNotThrow(() => issuer.verifier({ issuer: 'http://auth.internal', insecureHttp: true }));
});

test('only the issuer of a sandbox takes the option, and needs it', async () => {
  await using issuer = await startIssuer();
  const sandboxes = [
    'http://127.0.0.1:8090/mintmark-sandbox/marketing',
    'https://a.example/mintmark-sandbox',
  ];
  for (const sandbox of [...sandboxes, 'http://127.0.0.1:1/x/../mintmark-sandbox/y']) {
    for (const wrong of [{}, { sandbox: false }, { sandbox: 'true' as unknown as boolean }])
      assert.throws(() => issuer.verifier({ issuer: sandbox, ...wrong }), /is a sandbox for tests/, sandbox);
    assert.doesNotThrow(() => issuer.verifier({ issuer: sandbox, sandbox: true }));
  }
  const others = [
    'https://a.example/marketing',
    'https://mintmark-sandbox/',
    'https://a.example/mintmark-sandboxes',
  ];
  for (const other of [...others, 'http://localhost:8080/marketing']) {
    assert.doesNotThrow(() => issuer.verifier({ issuer: other, sandbox: false }));
    assert.throws(() => issuer.verifier({ issuer: other, sandbox: true }), /Leave the option out/, other);
  }
});

test('a logger that throws does no harm', async () => {
  await using issuer = await startIssuer();
  await issuer.stop();
  const onKeySetFailure = () => {
    throw new Error('The logger failed.');
  };
  await refused(issuer.verifier({ onKeySetFailure }).ready(), 'key_set_unavailable');
});

test('a clock set back lets no key grow too old', async () => {
  await using issuer = await startIssuer();
  const verifier = issuer.verifier({ staleKeysSeconds: 60 });
  await verifier.verify(issuer.token());
  await issuer.stop();
  issuer.nowMs -= 86_400_000;
  await verifier.verify(issuer.token());
  issuer.nowMs += 61_000;
  await refused(verifier.verify(issuer.token()), 'key_set_unavailable');
});
