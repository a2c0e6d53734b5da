import { AppError } from '../domain/app-error.ts';
import type { Actor } from '../domain/actor.ts';
import { credentialState, type Credential } from '../domain/credential.ts';
import { KIND_FACTS } from '../domain/credential-kind.ts';
import type { Organisation } from '../domain/organisation.ts';
import type { Store, StoreRows } from '../storage/store.ts';
import type { Change } from './audited.ts';
import { existingOrganisation } from './organisation.ts';
import { resetCredentials, type ResetResult } from './reset-credentials.ts';

/** A live credential that a person made, and so may know. */
export interface MadeCredential {
  credential: Credential;
  /** Of its API user. */
  apiUserName: string;
}

/** The most credentials of one answer. */
const MADE_MAX = 1000;
const DAY_MS = 86_400_000;

/** The live credentials in the organisation that this person made, by API user. */
export async function credentialsMadeBy(
  { credentials }: Pick<StoreRows, 'credentials'>,
  organisationId: string,
  operatorId: string,
  nowMs: number,
): Promise<MadeCredential[]> {
  const all = await credentials.madeBy(operatorId, organisationId, MADE_MAX);
  return all.filter(({ credential }) => credentialState(credential, nowMs) === 'live');
}

export async function listMadeCredentials(
  store: Store,
  organisationId: string,
  operatorId: string,
  { actor, nowMs }: { actor: Actor; nowMs: number },
): Promise<MadeCredential[]> {
  const { id } = await existingOrganisation(store, organisationId, actor);
  return await credentialsMadeBy(store, id, operatorId, nowMs);
}

export interface MemberReset {
  /** The API users that got a new secret. */
  reset: (ResetResult & { apiUserName: string })[];
  /** The credentials that still need an action, and which. */
  left: (MadeCredential & { problem: string })[];
}

/**
 * Resets every credential in the organisation that this person made: each API user gets a new secret, and its
 * old secrets end after `overlapMs`, or when they are quiet (null). What fails is left, with the reason: the
 * secrets of the others are shown only now. Credentials that end by then anyway are left out, so that a
 * repetition continues.
 */
export async function resetMadeBy(
  change: Change,
  organisationId: string,
  operatorId: string,
  overlapMs: number | null,
): Promise<MemberReset> {
  const { store, actor, nowMs } = change;
  const organisation = await existingOrganisation(store, organisationId, actor);
  const live = await credentialsMadeBy(store, organisation.id, operatorId, nowMs);
  const lasting = live.filter(({ credential }) => lasts(credential, overlapMs, nowMs));
  const result: MemberReset = { reset: [], left: [] };
  for (const [owner, all] of Map.groupBy(lasting, ({ credential }) => credential.clientId)) {
    const ending = all.filter(({ credential }) => endsWithReset(credential));
    for (const each of all) if (!ending.includes(each)) result.left.push({ ...each, problem: REPLACE });
    const [first] = ending;
    if (first === undefined) continue;
    const input = { owner, expiresAt: expiryIn(organisation, nowMs), overlapMs };
    const outcome = await resetOf(change, input, ending);
    if ('problem' in outcome) result.left.push(...ending.map((each) => ({ ...each, ...outcome })));
    else result.reset.push({ ...outcome, apiUserName: first.apiUserName });
  }
  return result;
}

const REPLACE =
  'The private half of a key, and what a trust rule lets in, stay with their owners: add a new one, then retire this one.';

function endsWithReset({ kind }: Credential): boolean {
  return KIND_FACTS[kind].endsWithReset || kind === 'password';
}

/** Whether the credential would work after the overlap. */
function lasts(credential: Credential, overlapMs: number | null, nowMs: number): boolean {
  const { expiresAt, retireWhenQuietFrom } = credential;
  if (retireWhenQuietFrom !== null) return false;
  return expiresAt === null || overlapMs === null || expiresAt > nowMs + overlapMs;
}

/** The latest expiry that the policy allows. */
function expiryIn({ policy }: Organisation, nowMs: number): number | null {
  return policy.credentialDaysMax === null ? null : nowMs + policy.credentialDaysMax * DAY_MS;
}

async function resetOf(
  change: Change,
  input: { owner: string; expiresAt: number | null; overlapMs: number | null },
  ending: readonly MadeCredential[],
): Promise<ResetResult | { problem: string }> {
  const endPassword = ending.some(({ credential }) => credential.kind === 'password');
  try {
    return await resetCredentials(change, { ...input, name: NAME, endPassword, force: false });
  } catch (error) {
    if (error instanceof AppError) return { problem: error.message };
    throw error;
  }
}

const NAME = 'new after a member left';
