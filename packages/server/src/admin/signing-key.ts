import {
  activationTime,
  generateSigningKey,
  removalTime,
  safestSchedule,
  rotationIsDue,
  signingKeyState,
  type KeySchedule,
  type SigningKey,
} from '../domain/signing-key.ts';
import type { SigningAlgorithm } from '../domain/signing-algorithm.ts';
import type { AuditFacts } from '../domain/audit-entry.ts';
import { signingKeyFacts } from '../domain/audit-facts.ts';
import { AppError } from '../domain/app-error.ts';
import type { MasterKey } from '../storage/master-key.ts';
import {
  acceptsWithoutProof,
  proofOf,
  proveSealedKeys,
  readProvenKeys,
} from '../storage/signing-key-proof.ts';
import type { ClockRows, Clocks } from '../storage/tables/clock.ts';
import type { SealedSigningKey } from '../storage/tables/signing-key.ts';
import type { Store, StoreRows, StoreTransaction } from '../storage/store.ts';
import { audited, type Change, type Outcome } from './audited.ts';

export interface Rotation {
  algorithm: SigningAlgorithm;
  schedule: KeySchedule;
  /**
   * `scheduled`: the key is announced first, so that verifiers know it when it signs. `now`: it signs at
   * once; verifiers that cannot fetch the key set for an unknown key id refuse its tokens until their next
   * fetch. `compromised`: it signs at once, and all other keys are withdrawn: verifiers refuse their tokens
   * after the next fetch.
   */
  mode: 'scheduled' | 'now' | 'compromised';
}

/** All signing keys, oldest first. */
export async function listSigningKeys(
  store: Store,
  masterKey: MasterKey,
  nowMs: number,
): Promise<(SigningKey & { proven: boolean })[]> {
  const { proven, unproven } = await readProvenKeys(store, masterKey, nowMs);
  const keys = [
    ...proven.map((key) => ({ ...key, proven: true })),
    ...unproven.map((key) => ({ ...key, proven: false })),
  ];
  return keys.toSorted((a, b) => a.activatesAt - b.activatesAt);
}

/**
 * Makes the successor of the active key. A `scheduled` rotation throws an AppError if one is already
 * announced.
 */
export async function rotateSigningKey(
  change: Change,
  masterKey: MasterKey,
  rotation: Rotation,
): Promise<SigningKey> {
  const { nowMs } = change;
  const keyPair = seal(generateSigningKey(rotation.algorithm), rotation.algorithm, masterKey);
  return await audited(change, ROTATION, async (transaction) =>
    rotate(transaction, masterKey, keyPair, rotation, await clocksAt(transaction, nowMs)),
  );
}

const ROTATION = { action: 'signing_key.rotate', subject: { kind: 'signing_key', id: null } } as const;

/**
 * Stores the durations that the server uses. A rotation by the command line, which has settings of its own,
 * keeps to them.
 */
export async function recordSchedule(store: Store, schedule: KeySchedule): Promise<void> {
  const recorded = JSON.stringify(safestSchedule(schedule, schedule)); // only these members
  if ((await store.meta.get('key_schedule')) === recorded) return;
  await store.write((transaction) => transaction.meta.set('key_schedule', recorded));
}

async function recordedSchedule(transaction: StoreTransaction, own: KeySchedule): Promise<KeySchedule> {
  const recorded = await transaction.meta.get('key_schedule');
  return recorded === null ? own : (JSON.parse(recorded) as KeySchedule);
}

/**
 * Rotates if the active key is older than `rotationSeconds` by both clocks. Every process calls it; one
 * rotates.
 */
export async function rotateWhenDue(
  change: Change,
  masterKey: MasterKey,
  rotation: Omit<Rotation, 'mode'>,
  rotationSeconds: number,
): Promise<SigningKey | null> {
  const { store, nowMs } = change;
  const clocks = await clocksAt(store.clock, nowMs);
  const isDue = async (rows: StoreRows) =>
    rotationIsDue((await readProvenKeys(rows, masterKey, nowMs)).proven, rotationSeconds, clocks.earlier);
  if (!(await isDue(store))) return null;
  const keyPair = seal(generateSigningKey(rotation.algorithm), rotation.algorithm, masterKey);
  return await audited<SigningKey | null>(change, ROTATION, async (transaction) => {
    // Check again inside the transaction: another process may have rotated first.
    if (!(await isDue(transaction))) return { result: null, unchanged: true };
    return await rotate(transaction, masterKey, keyPair, { ...rotation, mode: 'scheduled' }, clocks);
  });
}

/**
 * Gives a proof to signing keys of releases that wrote none: to all keys at the first start after the
 * upgrade, and to those that processes of the older release write in the days after it. Returns their key
 * ids.
 */
export async function proveSigningKeys(store: Store, masterKey: MasterKey, nowMs: number): Promise<string[]> {
  if (!(await acceptsWithoutProof(store.meta, nowMs))) return [];
  return await store.write((transaction) => proveSealedKeys(transaction, masterKey, nowMs));
}

/** Clocks that differ by less count as equal: the durations of a schedule are longer. */
const SAME_CLOCK_MS = 5000;

/**
 * `nowMs` and, if the clocks differ, the same moment by the clock of the store. A key ends by the earlier
 * clock, so that every process sees its end. It signs only after its announcement time has passed by the
 * later one.
 */
async function clocksAt(clock: Pick<ClockRows, 'now' | 'ownNow'>, nowMs: number): Promise<Clocks> {
  const aheadMs = (await clock.now()) - clock.ownNow();
  if (Math.abs(aheadMs) < SAME_CLOCK_MS) return { earlier: nowMs, later: nowMs };
  return { earlier: nowMs + Math.min(0, aheadMs), later: nowMs + Math.max(0, aheadMs) };
}

/**
 * Makes the first signing key of an empty store. It signs at once; the caller records it. Null if the store
 * has a key.
 */
export async function createFirstSigningKey(
  transaction: StoreTransaction,
  masterKey: MasterKey,
  algorithm: SigningAlgorithm,
  nowMs: number,
): Promise<SigningKey | null> {
  if ((await transaction.signingKeys.list()).length > 0) return null;
  const keyPair = seal(generateSigningKey(algorithm), algorithm, masterKey);
  return await insert(transaction, masterKey, { ...keyPair, announcedAt: nowMs, activatesAt: nowMs });
}

type SealedKeyPair = Pick<SealedSigningKey, 'kid' | 'algorithm' | 'publicJwk' | 'sealedPrivateKey'>;

async function rotate(
  transaction: StoreTransaction,
  masterKey: MasterKey,
  keyPair: SealedKeyPair,
  { schedule: own, mode }: Rotation,
  clocks: Clocks,
): Promise<Outcome<SigningKey>> {
  const schedule = safestSchedule(own, await recordedSchedule(transaction, own));
  await proveSealedKeys(transaction, masterKey, clocks.earlier);
  const { proven: keys, unproven } = await readProvenKeys(transaction, masterKey, clocks.earlier);
  const announced = keys.find((key) => signingKeyState(key, clocks.later) === 'announced');
  if (announced !== undefined && mode === 'scheduled') {
    throw new AppError(
      'conflict',
      `Signing key ${announced.kid} is announced already and signs from ` +
        `${new Date(announced.activatesAt).toISOString()} on: wait for it.`,
      { hint: ', or use --now.' },
    );
  }
  // If no key is active, the new one signs at once.
  const isActive = (key: SigningKey) => signingKeyState(key, clocks.later) === 'active';
  const waits = mode === 'scheduled' && keys.some(isActive);
  const activatesAt = waits ? activationTime(schedule, clocks.later) : clocks.earlier;
  const before: AuditFacts[] = [];
  const after: AuditFacts[] = [];
  for (const key of [...keys, ...unproven]) {
    // Processes do not use keys without a proof. The next rotation ends them, whatever their rows say.
    const of = unproven.includes(key) ? 'compromised' : mode;
    const end = endOf(key, activatesAt, { schedule, mode: of }, clocks);
    if (end === null) continue;
    const proof = unproven.includes(key) ? null : proofOf({ ...key, ...end }, masterKey);
    await transaction.signingKeys.setEnd(key.kid, { ...end, proof });
    before.push(signingKeyFacts(key));
    after.push(signingKeyFacts({ ...key, ...end }));
  }
  const key = await insert(transaction, masterKey, { ...keyPair, announcedAt: clocks.earlier, activatesAt });
  return {
    result: key,
    subjectId: key.kid,
    before: { other_keys: before },
    after: { mode, ...signingKeyFacts(key), other_keys: after },
  };
}

/** When the new key makes an older one retire and be removed; null if the older key stays as it is. */
function endOf(
  key: SigningKey,
  successorActivatesAt: number,
  { schedule, mode }: Omit<Rotation, 'algorithm'>,
  { earlier, later }: Clocks,
): { retiresAt: number; removesAt: number } | null {
  const state = signingKeyState(key, earlier);
  if (state === 'removed') return null;
  if (mode === 'compromised') {
    // The same time in both: a withdrawn key is removed by any clock (domain/signing-key.ts).
    const withdrawnAt = Math.min(key.retiresAt ?? earlier, earlier);
    return { retiresAt: withdrawnAt, removesAt: withdrawnAt };
  }
  if (state === 'retired') return null;
  const retiresAt = Math.min(key.retiresAt ?? successorActivatesAt, successorActivatesAt);
  return { retiresAt, removesAt: removalTime(schedule, retiresAt, later) };
}

async function insert(
  transaction: StoreTransaction,
  masterKey: MasterKey,
  keyPair: SealedKeyPair & Pick<SigningKey, 'announcedAt' | 'activatesAt'>,
): Promise<SigningKey> {
  const key = { ...keyPair, retiresAt: null, removesAt: null };
  await transaction.signingKeys.insert({ ...key, proof: proofOf(key, masterKey) });
  await transaction.changed('signing_key', key.kid);
  return key;
}

function seal(
  { kid, publicJwk, privateKey }: ReturnType<typeof generateSigningKey>,
  algorithm: SigningAlgorithm,
  masterKey: MasterKey,
): SealedKeyPair {
  const der = privateKey.export({ format: 'der', type: 'pkcs8' });
  const sealedPrivateKey = masterKey.seal(der, kid);
  der.fill(0);
  return { kid, algorithm, publicJwk, sealedPrivateKey };
}
