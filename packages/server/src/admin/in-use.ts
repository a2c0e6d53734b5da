import { setTimeout as sleep } from 'node:timers/promises';
import type { Actor } from '../domain/actor.ts';
import type { ApiUser } from '../domain/api-user.ts';
import { credentialState, isInUse, lastUseText, type Credential } from '../domain/credential.ts';
import { AppError, type InUse } from '../domain/app-error.ts';
import { startOf, UNIT_MS } from '../domain/usage.ts';
import type { Store, StoreTransaction } from '../storage/store.ts';
import { findApiUser } from './find-api-user.ts';

/**
 * Processes write uses every few seconds. On request, they write them within a second, as fast as they follow
 * any other change.
 */
const GATHER_MS = 1000;
const GATHER_POLL_MS = 25;

/**
 * Makes every process write the uses that it holds in memory, so that the check in the next transaction
 * counts a call from a moment ago. Returns when the store has a use in the last hour of a live credential
 * that `matters`, or after `GATHER_MS`. Call it before that transaction.
 */
export async function gatherUses(
  store: Store,
  clientId: string,
  matters: (credential: Credential) => boolean = () => true,
): Promise<void> {
  const live = async (): Promise<Credential[]> => {
    const all = await store.credentials.listOf(clientId);
    return all.filter((each) => matters(each) && credentialState(each, store.clock.ownNow()) === 'live');
  };
  const inUse = async () => (await live()).some((credential) => isInUse(credential, store.clock.ownNow()));
  if ((await live()).length === 0 || (await inUse())) return;
  await store.write(({ changed }) => changed('usage', clientId));
  const deadline = performance.now() + GATHER_MS;
  while (performance.now() < deadline && !(await inUse())) await sleep(GATHER_POLL_MS);
}

/**
 * `gatherUses` for an API user given by client id or username. Does nothing if it is disabled, because then
 * it gets no tokens, and if the actor may not know of it.
 */
export async function gatherUsesOf(store: Store, name: string, actor: Actor): Promise<void> {
  const user = await findApiUser(store, name, actor);
  if (user?.enabled === true) await gatherUses(store, user.clientId);
}

const WHAT = {
  disabled: 'Move its callers to another API user first. A disable can be undone: `enable` does it',
  deleted: 'Move its callers to another API user first, or disable it, which can be undone: a delete cannot',
  moved:
    'Keep its credentials, if the same people have it afterwards, or move its callers to another API user first',
} as const;

/** Throws an AppError (`unsafe`) if a caller used one of the live credentials in the last hour. */
export async function refuseLiveCaller(
  transaction: StoreTransaction,
  { clientId, name, enabled }: ApiUser,
  what: keyof typeof WHAT,
  nowMs: number,
): Promise<void> {
  if (!enabled) return;
  const inUse = await callersOf(transaction, clientId, nowMs);
  if (inUse.credentials.length === 0) return;
  throw new AppError(
    'unsafe',
    `The API user ${clientId} (${name}) is not ${what}, because it is in use: ${inUseText(inUse, nowMs)}. ${WHAT[what]}.`,
    { inUse, hint: '; --force cuts the callers off.' },
  );
}

/**
 * The live credentials that callers used in the last hour, and the number of tokens that the API user got.
 */
export async function callersOf(
  { credentials, usage }: Pick<StoreTransaction, 'credentials' | 'usage'>,
  clientId: string,
  nowMs: number,
): Promise<InUse> {
  const all = await credentials.listOf(clientId);
  const tokensSince = async (unit: 'minute' | 'hour', from: number): Promise<number> => {
    const points = await usage.series(clientId, unit, startOf(unit, from), nowMs + UNIT_MS[unit]);
    return points.reduce((sum, { tokens }) => sum + tokens, 0);
  };
  return {
    credentials: all.filter((credential) => isInUse(credential, nowMs)),
    tokensLastHour: await tokensSince('minute', nowMs - UNIT_MS.hour),
    tokensLastDay: await tokensSince('hour', nowMs - UNIT_MS.day),
  };
}

function inUseText({ credentials, tokensLastHour, tokensLastDay }: InUse, nowMs: number): string {
  const uses = credentials.map((credential) => useText(credential, nowMs)).join('; ');
  return `${uses}. It got ${tokenCount(tokensLastHour)} in the last hour and ${tokenCount(tokensLastDay)} in the last 24 hours`;
}

function useText(credential: Credential, nowMs: number): string {
  return `the ${credential.kind} ${credential.id} (${credential.name}) was used ${lastUseText(credential, nowMs)}`;
}

function tokenCount(count: number): string {
  return count === 1 ? '1 token' : `${count} tokens`;
}
