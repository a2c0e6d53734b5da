import type { Credential } from './credential.ts';
import { KEY_ID_LENGTH } from './secret.ts';

/**
 * All secrets of one API user in one string of records with a fixed width: key id (10), digest (43), end (8).
 * At a million API users, objects would cost 341 bytes each; the string costs 205 (docs/decisions/002). A
 * string of ASCII also moves through messages and JSON unchanged. `end` is a mark and a time in base 36: `r…`
 * is the time of retirement, `e…` the expiry time, and `-` means that the secret has no end.
 */
export type PackedSecrets = string;

const DIGEST_LENGTH = 43;
const END_LENGTH = 8;
const RECORD_LENGTH = KEY_ID_LENGTH + DIGEST_LENGTH + END_LENGTH;

export interface SecretRecord {
  digest: string;
  retiredAtSeconds: number | null;
  expiresAtSeconds: number | null;
}

type Packable = Pick<Credential, 'id' | 'digest' | 'expiresAt' | 'retiredAt'>;

export function packSecrets(secrets: readonly Packable[]): PackedSecrets {
  const packed = secrets.map((secret) => secret.id + secret.digest + packEnd(secret)).join('');
  // Convert through bytes: a string built with + keeps its parts in memory, a hundred bytes more for each API
  // user.
  return Buffer.from(packed, 'latin1').toString('latin1');
}

/** The record of the secret with this key id; null if the API user has no such secret. */
export function findSecret(packed: PackedSecrets, keyId: string): SecretRecord | null {
  for (let at = 0; at < packed.length; at += RECORD_LENGTH) {
    if (packed.startsWith(keyId, at)) return recordAt(packed, at);
  }
  return null;
}

function recordAt(packed: PackedSecrets, at: number): SecretRecord {
  const digestEnd = at + KEY_ID_LENGTH + DIGEST_LENGTH;
  const mark = packed.charAt(digestEnd);
  const end = mark === '-' ? null : Number.parseInt(packed.slice(digestEnd + 1, at + RECORD_LENGTH), 36);
  return {
    digest: packed.slice(at + KEY_ID_LENGTH, digestEnd),
    retiredAtSeconds: mark === 'r' ? end : null,
    expiresAtSeconds: mark === 'e' ? end : null,
  };
}

const NO_END = '-'.padEnd(END_LENGTH, ' ');

/** Rounds down to whole seconds, so that no secret outlives its end. */
function packEnd({ expiresAt, retiredAt }: Packable): string {
  const end = retiredAt ?? expiresAt;
  if (end === null) return NO_END;
  const mark = retiredAt === null ? 'e' : 'r';
  return (
    mark +
    Math.floor(end / 1000)
      .toString(36)
      .padStart(END_LENGTH - 1, '0')
  );
}
