// API users that prove in different ways who they are, and their requests: for the benchmark of assertions.
import {
  createPrivateKey,
  generateKeyPairSync,
  randomBytes,
  randomUUID,
  sign,
  type KeyObject,
} from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import type { TrustRule } from '../packages/server/src/domain/trust-rule.ts';
import { clientIdAt, secretAt } from './population.ts';

/** `foreign`: a token of an issuer whose keys were fetched; `inline`: the trust rule holds them. */
export type CallerKind = 'secret' | 'own' | 'foreign' | 'inline' | 'bad secret' | 'bad assertion';

export interface BenchKeys {
  own: JsonKeyPair;
  issuer: JsonKeyPair;
}

interface JsonKeyPair {
  privateJwk: JsonObject;
  publicJwk: JsonObject;
}

type JsonObject = Record<string, unknown>;

const ISSUER = 'https://issuer.example.com';
const INLINE_ISSUER = 'https://inline.example.com';
/** The index of the API user of each kind in the population. */
const INDEX = { secret: 0, own: 1, foreign: 2, inline: 3 } as const;
export const CALLERS = 4;
const DAY_MS = 86_400_000;

export function newKeys(): BenchKeys {
  return {
    own: pairOf(generateKeyPairSync('ec', { namedCurve: 'P-256' })),
    issuer: pairOf(generateKeyPairSync('rsa', { modulusLength: 2048 }), { kid: 'issuer', alg: 'RS256' }),
  };
}

function pairOf(
  { privateKey, publicKey }: { privateKey: KeyObject; publicKey: KeyObject },
  labels: JsonObject = {},
): JsonKeyPair {
  const [privateJwk, publicJwk] = [privateKey, publicKey].map((key) => key.export({ format: 'jwk' }));
  return { privateJwk: { ...privateJwk }, publicJwk: { ...publicJwk, ...labels } };
}

/** Adds a key and two trust rules to a seeded store, and the keys of an issuer as if fetched just now. */
export function addAssertionCredentials(path: string, { own, issuer }: BenchKeys): void {
  const database = new DatabaseSync(path);
  const credential = database.prepare(
    `insert into credentials (id, client_id, kind, name, digest, created_at, facts, key_source)
     values (?, ?, ?, 'bench', ?, 0, ?, ?)`,
  );
  const named = JSON.stringify({ source: { issuer: ISSUER }, issuer: ISSUER });
  const inline = { from: 'inline', jwks: { keys: [issuer.publicJwk] } } as unknown as TrustRule['keys'];
  const rules = [rule(ISSUER, { from: 'discovery' }), rule(INLINE_ISSUER, inline)] as const;
  credential.run(
    'key0000000',
    clientIdAt(INDEX.own),
    'key',
    'k',
    JSON.stringify({ jwk: own.publicJwk }),
    null,
  );
  credential.run('rule000000', clientIdAt(INDEX.foreign), 'trust', 'f', JSON.stringify(rules[0]), named);
  credential.run('rule000001', clientIdAt(INDEX.inline), 'trust', 'i', JSON.stringify(rules[1]), null);
  database
    .prepare(
      `insert into key_sources (kind, address, key_set, left_out, fetched_at, life_ms, tried_at)
       values ('issuer', ?, ?, 0, ?, ?, ?)`,
    )
    .run(ISSUER, JSON.stringify({ keys: [issuer.publicJwk] }), Date.now(), DAY_MS, Date.now());
  database.close();
}

function rule(issuer: string, keys: TrustRule['keys']): TrustRule {
  return {
    preset: null,
    issuer,
    subject: 'repo:acme/shop:*',
    audience: 'https://auth.example.com',
    otherAudiences: false,
    claims: { repository_id: '1' },
    lifeSecondsMax: 600,
    reuse: 'once',
    keys,
  };
}

/** Makes the bodies of requests; `audience`: the issuer of the server. */
export function bodies(keys: BenchKeys, audience: string): (kind: CallerKind, serial: number) => string {
  const own = createPrivateKey({ key: keys.own.privateJwk, format: 'jwk' });
  const issuer = createPrivateKey({ key: keys.issuer.privateJwk, format: 'jwk' });
  const foreign = (iss: string): string =>
    jwt({ alg: 'RS256', kid: 'issuer' }, workloadClaims(iss), (text) => sign('sha256', text, issuer));
  const byKey = (clientId: string): string =>
    jwt({ alg: 'ES256' }, ownClaims(clientId, audience), (text) =>
      sign('sha256', text, { key: own, dsaEncoding: 'ieee-p1363' }),
    );
  return (kind, serial) => {
    switch (kind) {
      case 'secret':
        return withSecret(clientIdAt(INDEX.secret), secretAt(INDEX.secret));
      case 'own':
        return withAssertion(clientIdAt(INDEX.own), byKey(clientIdAt(INDEX.own)));
      case 'foreign':
        return withAssertion(clientIdAt(INDEX.foreign), foreign(ISSUER));
      case 'inline':
        return withAssertion(clientIdAt(INDEX.inline), foreign(INLINE_ISSUER));
      // Unknown client ids, each another one: otherwise the budget of failed attempts stops them at once.
      case 'bad secret':
        return withSecret(clientIdAt(CALLERS + serial), secretAt(INDEX.secret));
      case 'bad assertion':
        return withAssertion(clientIdAt(CALLERS + serial), unsigned(clientIdAt(CALLERS + serial), audience));
    }
  };
}

/** Its signature is random, which costs the verifier as much as a wrong one. */
function unsigned(clientId: string, audience: string): string {
  return jwt({ alg: 'ES256' }, ownClaims(clientId, audience), () => randomBytes(64));
}

function ownClaims(clientId: string, aud: string): JsonObject {
  return { iss: clientId, sub: clientId, aud, ...times(), jti: randomUUID() };
}

function workloadClaims(iss: string): JsonObject {
  const identity = {
    sub: 'repo:acme/shop:ref:refs/heads/main',
    aud: 'https://auth.example.com',
    repository_id: '1',
  };
  return { iss, ...identity, ...times(), jti: randomUUID() };
}

function times(): JsonObject {
  const iat = Math.floor(Date.now() / 1000);
  return { iat, exp: iat + 300 };
}

export function jwt(header: JsonObject, claims: JsonObject, signed: (text: Buffer) => Buffer): string {
  const [head, body] = [header, claims].map((part) =>
    Buffer.from(JSON.stringify(part)).toString('base64url'),
  );
  const text = `${head}.${body}`;
  return `${text}.${signed(Buffer.from(text)).toString('base64url')}`;
}

function withSecret(clientId: string, secret: string): string {
  return `grant_type=client_credentials&client_id=${clientId}&client_secret=${secret}`;
}

const TYPE = encodeURIComponent('urn:ietf:params:oauth:client-assertion-type:jwt-bearer');

function withAssertion(clientId: string, assertion: string): string {
  return (
    `grant_type=client_credentials&client_id=${clientId}&client_assertion_type=${TYPE}` +
    `&client_assertion=${assertion}`
  );
}
