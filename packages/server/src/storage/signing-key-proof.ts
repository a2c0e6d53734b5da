import { createPrivateKey, createPublicKey, timingSafeEqual, type KeyObject } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { ALGORITHM_FACTS } from '../domain/signing-algorithm.ts';
import type { SigningKey } from '../domain/signing-key.ts';
import type { MasterKey } from './master-key.ts';
import type { SealedSigningKey } from './tables/signing-key.ts';
import type { StoreRows } from './store.ts';

// A signing key is published and used only with a proof: a MAC under the master key, which is never in the
// store. The proof reveals a row of the store that another program wrote or changed: docs/decisions/086.

export interface ProvenKeys {
  proven: SealedSigningKey[];
  /** Neither published nor used. They include removed keys of programs without proofs. */
  unproven: SealedSigningKey[];
}

/** The meta value between the migration and the first start with the master key. */
const PENDING = 'pending';
/** Processes of the previous version, which know no proofs, may run this long beside the first that does. */
const WITHOUT_PROOF_MS = 7 * 86_400_000;

/** The proof covers the `kid`, the algorithm, the public key and the times. */
export function proofOf(key: SigningKey, masterKey: MasterKey): string {
  const { kid, algorithm, publicJwk, announcedAt, activatesAt, retiresAt, removesAt } = key;
  const times = [announcedAt, activatesAt, retiresAt, removesAt];
  return masterKey.signingKeyProof(JSON.stringify([kid, algorithm, publicJwk, times]));
}

/** Reads all signing keys, and separates proven from unproven ones. */
export async function readProvenKeys(
  { signingKeys, meta }: Pick<StoreRows, 'signingKeys' | 'meta'>,
  masterKey: MasterKey,
  nowMs: number,
): Promise<ProvenKeys> {
  const keys = await signingKeys.list();
  const hasProof = new Map(keys.map((key) => [key, isProven(key, masterKey)]));
  // Read the meta value only if a key lacks its proof: in an ordinary store every key has one.
  const accepted = keys.every((key) => hasProof.get(key)) || (await acceptsWithoutProof(meta, nowMs));
  const proven = keys.filter((key) => hasProof.get(key) || (accepted && isSealed(key, masterKey)));
  return { proven, unproven: keys.filter((key) => !proven.includes(key)) };
}

/**
 * Adds proofs to keys that a program without proofs wrote, while that is allowed. Runs inside a transaction.
 * Returns the `kid`s.
 */
export async function proveSealedKeys(
  { signingKeys, meta }: Pick<StoreRows, 'signingKeys' | 'meta'>,
  masterKey: MasterKey,
  nowMs: number,
): Promise<string[]> {
  if (!(await acceptsWithoutProof(meta, nowMs))) return [];
  const kids: string[] = [];
  for (const key of await signingKeys.list()) {
    if (isProven(key, masterKey) || !isSealed(key, masterKey)) continue;
    await signingKeys.setProof(key.kid, proofOf(key, masterKey));
    kids.push(key.kid);
  }
  await meta.replace('signing_key_proofs', PENDING, String(nowMs + WITHOUT_PROOF_MS));
  return kids;
}

export async function acceptsWithoutProof(meta: StoreRows['meta'], nowMs: number): Promise<boolean> {
  const until = await meta.get('signing_key_proofs');
  return until === PENDING || (until !== null && nowMs < Number(until));
}

function isProven(key: SealedSigningKey, masterKey: MasterKey): boolean {
  const [stored, right] = [Buffer.from(key.proof ?? ''), Buffer.from(proofOf(key, masterKey))];
  return stored.length === right.length && timingSafeEqual(stored, right);
}

/**
 * True if the private key was sealed under the master key for this `kid`, and the public key belongs to it.
 */
function isSealed(key: SealedSigningKey, masterKey: MasterKey): boolean {
  try {
    const own = createPublicKey(privateKeyOf(key, masterKey)).export({ format: 'jwk' });
    return own.kty === ALGORITHM_FACTS[key.algorithm].keyType && isDeepStrictEqual(key.publicJwk, own);
  } catch {
    return false;
  }
}

/**
 * Throws if the private key was sealed under another master key or for another `kid`, was changed, or is
 * deleted.
 */
export function privateKeyOf(key: SealedSigningKey, masterKey: MasterKey): KeyObject {
  const der = masterKey.unseal(key.sealedPrivateKey ?? '', key.kid);
  try {
    return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  } finally {
    der.fill(0);
  }
}
