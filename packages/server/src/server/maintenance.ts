import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import { SYSTEM } from '../domain/actor.ts';
import { REFUSED_REQUESTS_KEPT_MS } from '../domain/refused-request.ts';
import { UNIT_MS } from '../domain/usage.ts';
import { retireQuiet } from '../admin/reset-credentials.ts';
import { proveSigningKeys, rotateWhenDue } from '../admin/signing-key.ts';
import type { MasterKey } from '../storage/master-key.ts';
import { bothClocks } from '../storage/tables/clock.ts';
import type { Store, StoreTransaction } from '../storage/store.ts';

/**
 * Periodic work in small steps: rotates keys by schedule, retires quiet credentials, sums up usage, and
 * removes records that are past their retention.
 */
export interface Maintenance {
  run(): Promise<void>;
  start(): void;
  stop(): Promise<void>;
}

const INTERVAL_MS = 10_000;
const BATCH = 500;
const BATCHES_MAX = 100;
/**
 * Most changes that callers may request again. Beyond this number, the oldest are forgotten before their
 * time.
 */
const IDEMPOTENCY_KEYS_MAX = 100_000;
/**
 * Ended records are removed this much later, since the store's clock may itself be ahead, for example after a
 * failover.
 */
const REMOVAL_MARGIN_MS: number = 10 * UNIT_MS.minute;
/** How long clocks of processes that have ended are kept. */
const PROCESS_CLOCKS_KEPT_MS: number = UNIT_MS.hour;

export function createMaintenance(
  store: Store,
  masterKey: MasterKey,
  config: Config,
  log: Logger,
): Maintenance {
  let running: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  /** How far the sweep for uses of deleted credentials has come; null: start from the beginning. */
  let sweptTo: string | null = null;
  /**
   * How far the check of credentials that are retired when quiet has come; null: start from the beginning.
   */
  let quietTo: string | null = null;

  async function runAll(): Promise<void> {
    await proveSigningKeys(store, masterKey, store.clock.ownNow());
    const rotation = { algorithm: config.signingAlgorithm, schedule: config };
    const rotating = { store, actor: SYSTEM, nowMs: store.clock.ownNow() };
    const key = await rotateWhenDue(rotating, masterKey, rotation, config.keyRotationSeconds);
    if (key !== null)
      log.info({ kid: key.kid, activatesAt: key.activatesAt }, 'signing key rotated by schedule');
    const { earlier } = await bothClocks(store.clock);
    const nowMs = earlier - REMOVAL_MARGIN_MS;
    quietTo = await retireQuiet({ store, actor: SYSTEM, nowMs: earlier }, quietTo, BATCH);
    const endedBefore = nowMs - config.endedCredentialsKeptDays * UNIT_MS.day;
    const epoch = await store.changes.epoch();
    // No margin here: nothing uses the private key of a removed signing key.
    await store.write((transaction) => transaction.signingKeys.forgetRemoved(earlier));
    await inBatches((transaction) => transaction.credentials.deleteEnded(endedBefore, BATCH));
    await inBatches((transaction) => transaction.revocations.deleteOver(nowMs, BATCH));
    const seenBefore = nowMs - config.sessionIdleSeconds * 1000;
    await inBatches((transaction) => transaction.sessions.deleteOver(nowMs, seenBefore, BATCH));
    await inBatches((transaction) => transaction.invitations.deleteOver(nowMs, BATCH));
    await inBatches((transaction) => transaction.secretLinks.deleteOver(nowMs, BATCH));
    const refusedBefore = nowMs - REFUSED_REQUESTS_KEPT_MS;
    await inBatches(({ refusedRequests }) => refusedRequests.deleteBefore(refusedBefore, BATCH));
    await inBatches((transaction) => transaction.memberInvitations.deleteOver(nowMs, BATCH));
    if (config.auditKeptDays > 0) {
      const before = nowMs - config.auditKeptDays * UNIT_MS.day;
      await inBatches((transaction) => transaction.audit.deleteBefore(before, BATCH));
    }
    await inBatches(({ idempotency }) => idempotency.deleteOver(nowMs, IDEMPOTENCY_KEYS_MAX, BATCH));
    await inBatches((transaction) => transaction.changes.deleteBefore(epoch - config.changesKept, BATCH));
    sweptTo = await store.write((transaction) => transaction.credentials.sweepUses(sweptTo ?? '', BATCH));
    await store.clock.deleteBefore(nowMs - PROCESS_CLOCKS_KEPT_MS);
    await keepUsage(earlier);
  }

  async function keepUsage(nowMs: number): Promise<void> {
    const kept = {
      minute: config.usageMinutesKeptHours * UNIT_MS.hour,
      hour: config.usageHoursKeptDays * UNIT_MS.day,
      day: config.usageDaysKept * UNIT_MS.day,
    };
    await untilDone(() => store.usageHistory.sumUp(nowMs));
    await untilDone(() => store.usageHistory.removeOld(nowMs, kept));
  }

  /** Each step is one transaction. The next run does the steps that are left. */
  async function untilDone(step: () => Promise<boolean>): Promise<void> {
    for (let steps = 0; steps < BATCHES_MAX; steps++) if (stopped || !(await step())) return;
  }

  /** Each batch is one transaction, so that other writers can write in between. */
  async function inBatches(step: (transaction: StoreTransaction) => Promise<number>): Promise<void> {
    for (let batch = 0; batch < BATCHES_MAX; batch++) {
      if (stopped || (await store.write(step)) < BATCH) return;
    }
  }

  async function run(): Promise<void> {
    running ??= runAll()
      .catch((error: Error) => log.warn({ error: error.message }, 'maintenance failed, and is tried again'))
      .finally(() => {
        running = undefined;
      });
    await running;
  }

  return {
    run,
    start() {
      timer = setInterval(() => void run(), INTERVAL_MS);
      timer.unref();
    },
    async stop() {
      stopped = true;
      clearInterval(timer);
      await running;
    },
  };
}
