// API users without a secret: keys, trust rules, and assertions that are really signed.
import { randomUUID } from 'node:crypto';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWTPayload } from 'jose';
import { createApiUser } from '../../server/src/admin/api-user.ts';
import { SYSTEM } from '../../server/src/domain/actor.ts';
import { factsDigest, type CredentialFacts } from '../../server/src/domain/assertion-credential.ts';
import { UNUSED_CREDENTIAL, type Credential } from '../../server/src/domain/credential.ts';
import { readJwk } from '../../server/src/domain/public-key.ts';
import type { PublicJwk, TrustRule } from '../../server/src/domain/trust-rule.ts';
import { randomBase62 } from '../../server/src/lib/random.ts';
import type { Store } from '../../server/src/storage/store.ts';
import { apiUserSettings } from './temporary-store.ts';

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/** A key pair that signs assertions. */
export interface Signer {
  algorithm: string;
  jwk: PublicJwk;
  thumbprint: string;
  sign(claims: JWTPayload, header?: Record<string, unknown>): Promise<string>;
}

export async function newSigner(algorithm = 'ES256', modulusLength = 2048): Promise<Signer> {
  const pair = await generateKeyPair(algorithm, { extractable: true, modulusLength });
  const registered = readJwk(await exportJWK(pair.publicKey));
  if (Array.isArray(registered)) throw new Error(registered.map(({ problem }) => problem).join(' '));
  return { algorithm, ...registered, sign: signWith(pair.privateKey, algorithm) };
}

function signWith(key: CryptoKey, algorithm: string): Signer['sign'] {
  return async (claims, header = {}) =>
    await new SignJWT(claims).setProtectedHeader({ alg: algorithm, ...header }).sign(key);
}

export const seconds = (): number => Math.floor(Date.now() / 1000);

/** Claims with which an API user proves by its own key who it is (RFC 7523 §3). */
export function ownClaims(clientId: string, issuer: string, changes: JWTPayload = {}): JWTPayload {
  const now = seconds();
  return {
    iss: clientId,
    sub: clientId,
    aud: issuer,
    iat: now,
    exp: now + 60,
    jti: randomUUID(),
    ...changes,
  };
}

/** The parameters of a form that carry an assertion. */
export function assertionForm(
  assertion: string,
  others: Record<string, string> = {},
): Record<string, string> {
  return { client_assertion_type: ASSERTION_TYPE, client_assertion: assertion, ...others };
}

/** A rule that the claims of `workloadClaims` match. */
export function trustRule(signer: Signer, changes: Partial<TrustRule> = {}): TrustRule {
  return {
    preset: null,
    issuer: 'https://issuer.example.com',
    subject: 'repo:acme/shop:*',
    audience: 'https://auth.example.com',
    otherAudiences: false,
    claims: { repository_id: '1' },
    lifeSecondsMax: 600,
    reuse: 'once',
    keys: { from: 'inline', jwks: { keys: [signer.jwk] } },
    ...changes,
  };
}

/** Claims of a token that another issuer gave to a workload. */
export function workloadClaims(changes: JWTPayload = {}): JWTPayload {
  const now = seconds();
  return {
    iss: 'https://issuer.example.com',
    sub: 'repo:acme/shop:main',
    aud: 'https://auth.example.com',
    iat: now,
    exp: now + 300,
    jti: randomUUID(),
    repository_id: '1',
    ...changes,
  };
}

/** Creates an API user with these credentials, and returns its client id. */
export async function userWith(store: Store, ...facts: CredentialFacts[]): Promise<string> {
  const change = { store, actor: SYSTEM, nowMs: Date.now() };
  const { clientId } = await createApiUser(change, apiUserSettings());
  for (const each of facts) await addCredential(store, clientId, each);
  return clientId;
}

export async function addCredential(
  store: Store,
  clientId: string,
  facts: CredentialFacts,
  changes: Partial<Credential> = {},
): Promise<Credential> {
  const credential: Credential = {
    id: randomBase62(10),
    clientId,
    kind: 'issuer' in facts ? 'trust' : 'key',
    name: 'production',
    digest: 'jwk' in facts ? thumbprintOf(facts.jwk) : factsDigest(facts),
    facts,
    createdAt: Date.now(),
    expiresAt: null,
    ...UNUSED_CREDENTIAL,
    ...changes,
  };
  await store.write(async (transaction) => {
    await transaction.credentials.insert(credential);
    await transaction.changed('api_user', clientId);
  });
  return credential;
}

function thumbprintOf(jwk: PublicJwk): string {
  const registered = readJwk(jwk);
  return Array.isArray(registered) ? '' : registered.thumbprint;
}
