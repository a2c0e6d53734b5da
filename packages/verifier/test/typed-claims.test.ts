import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { createProtect } from '../src/express.ts';
import { createVerifier, type AnyClaims, type Caller } from '../src/index.ts';
import { API, newKey, startIssuer, type TestIssuer } from './support/issuer.ts';
import { refused } from './support/refused.ts';

// Static claims and organisations, as the server of this repository puts them into its tokens.

const { merged } = JSON.parse(
  readFileSync(new URL('../../../test-vectors/token-claims.json', import.meta.url), 'utf8'),
) as { merged: { name: string; organisation_id: string | null; members: AnyClaims }[] };

interface Tier {
  tier: 'gold' | 'silver';
}

function tierOf({ tier }: AnyClaims): Tier {
  if (tier !== 'gold' && tier !== 'silver') throw new Error(`The tier is ${JSON.stringify(tier)}.`);
  return { tier };
}

let issuer: TestIssuer;
before(async () => {
  issuer = await startIssuer([newKey()]);
});
after(async () => await issuer[Symbol.asyncDispose]());

const options = () => ({ issuer: issuer.url, audience: API, clock: () => issuer.nowMs });

for (const { name, organisation_id: id, members } of merged) {
  test(`the claims of a token where ${name}`, async () => {
    const { organisationId, claims } = await issuer.verifier().verify(issuer.token({ ...members }));
    assert.equal(organisationId, id ?? undefined);
    assert.deepEqual({ ...claims, ...members }, claims);
  });
}

test('the option claims types and checks the claims of every token once', async () => {
  let calls = 0;
  const verifier = createVerifier({
    ...options(),
    claims: (claims): Tier => {
      calls += 1;
      return tierOf(claims);
    },
  });
  const token = issuer.token({ tier: 'gold' });
  const caller: Caller<Tier> = await verifier.verify(token);
  assert.deepEqual(caller.claims, { tier: 'gold' });
  assert.ok(Object.isFrozen(caller.claims));
  assert.equal(await verifier.verify(token), caller);
  assert.equal(calls, 1);
  for (const tier of ['bronze', undefined, 5]) {
    const error = await refused(verifier.verify(issuer.token({ tier })), 'claims');
    assert.equal(error.clientId, 'api_one');
    assert.ok(!error.message.includes('bronze'), 'no claim in the message');
  }
});

test('a check of a route and its handler see typed claims', async () => {
  const protect = createProtect({ ...options(), claims: tierOf });
  const handle = protect({ check: ({ claims }) => claims.tier === 'gold' });
  const call = async (tier: string) => {
    const request = { headers: { authorization: `Bearer ${issuer.token({ tier })}` }, originalUrl: '/' };
    const response = { statusCode: 200, setHeader: () => undefined, end: () => undefined };
    await handle(request, response, () => undefined);
    return { request, response };
  };
  const { request } = await call('gold');
  const { tier }: Tier = protect.callerOf(request).claims;
  assert.equal(tier, 'gold');
  assert.equal((await call('silver')).response.statusCode, 403);
  assert.equal((await call('bronze')).response.statusCode, 401);
  assert.throws(
    () => createProtect({ ...options(), claims: tierOf }).callerOf(request),
    /No protect\(\) ran/,
  );
});

test('a claim org_id that is not a text is refused', async () => {
  for (const id of [5, null, '', {}])
    await refused(issuer.verifier().verify(issuer.token({ org_id: id })), 'claims');
});

test('claims that are no function stop the start', () => {
  assert.throws(
    () => createVerifier({ ...options(), claims: 'tier' as never }),
    /claims: it is not a function/,
  );
});
