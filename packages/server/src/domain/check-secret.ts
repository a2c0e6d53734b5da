import { timingSafeEqual } from 'node:crypto';
import type { AuthenticationFailure, RefusingCredential } from './denial.ts';
import { disabledBy, type Policy } from './known-api-user.ts';
import { findSecret, type PackedSecrets, type SecretRecord } from './packed-secrets.ts';
import { KEY_ID_LENGTH, keyIdOf, SECRET_PREFIX, secretDigest } from './secret.ts';

export interface KnownSecrets {
  policy: Pick<Policy, 'enabled' | 'organisation'>;
  secrets: PackedSecrets;
}

/** `subject`: that of the assertion, if a trust rule accepted it. */
export type Authentication =
  | { credentialId: string; subject?: string | null }
  | { failure: AuthenticationFailure; refusedBy?: readonly RefusingCredential[] | undefined };

/**
 * Checks a generated secret. Every failure costs the same work, even for an unknown client id (`apiUser` is
 * undefined): one SHA-256, one comparison in constant time, one check of the secret's form. The cause is
 * determined after that. A secret that matches needs no check of its form: only the real secret has this
 * digest.
 */
export function checkSecret(
  apiUser: KnownSecrets | undefined,
  secret: string,
  nowMs: number,
): Authentication {
  const keyId = secret.slice(SECRET_PREFIX.length, SECRET_PREFIX.length + KEY_ID_LENGTH);
  const record = findSecret(apiUser?.secrets ?? NO_SECRETS, keyId);
  const matches = sameDigest(secretDigest(secret), record?.digest ?? NO_DIGEST);
  const ended = record === null ? null : endOf(record, nowMs / 1000);
  const disabled = apiUser === undefined ? null : disabledBy(apiUser.policy);
  if (apiUser !== undefined && matches && ended === null && disabled === null) return { credentialId: keyId };
  return { failure: failureOf(keyIdOf(secret), { apiUser, record, matches, end: ended ?? disabled }) };
}

/**
 * What the check of a secret found. `end`: why the secret of this record gets no token, even if it matches.
 */
interface SecretCheck {
  apiUser: KnownSecrets | undefined;
  record: SecretRecord | null;
  matches: boolean;
  end: AuthenticationFailure | null;
}

function failureOf(
  keyId: string | null,
  { apiUser, record, matches, end }: SecretCheck,
): AuthenticationFailure {
  if (apiUser === undefined) return 'unknown_client_id';
  if (keyId === null) return 'malformed_secret';
  if (record === null) return 'unknown_secret';
  return matches ? (end ?? 'api_user_disabled') : 'wrong_secret';
}

function endOf(record: SecretRecord, nowSeconds: number): AuthenticationFailure | null {
  if (record.retiredAtSeconds !== null) return 'retired_secret'; // by any clock
  if (record.expiresAtSeconds !== null && record.expiresAtSeconds <= nowSeconds) return 'expired_secret';
  return null;
}

/**
 * An unknown client id is checked against these: a digest that no secret has, in a record that no key id
 * matches.
 */
const NO_DIGEST = '0'.repeat(43);
const NO_SECRETS = `${'_'.repeat(10)}${NO_DIGEST}-       `;

const left = Buffer.alloc(NO_DIGEST.length);
const right = Buffer.alloc(NO_DIGEST.length);

/** Compares two digests of 43 ASCII characters in constant time. Reused buffers are faster than new ones. */
function sameDigest(a: string, b: string): boolean {
  left.write(a, 'latin1');
  right.write(b, 'latin1');
  return a.length === left.length && b.length === right.length && timingSafeEqual(left, right);
}
