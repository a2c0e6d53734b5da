import { storedText } from '../../domain/characters.ts';
import type { RefusingCredential } from '../../domain/denial.ts';
import { NO_USE, type CredentialUse, type KnownApiUser } from '../../domain/known-api-user.ts';
import { ORGANISATIONS_MAX } from '../../domain/organisation.ts';
import type { RefusalReason } from '../../domain/refusal.ts';
import { startOf, UNIT_MS } from '../../domain/usage.ts';
import type { Refusals } from '../../storage/tables/usage.ts';
import { addUse, appendUses, isUseOf, larger, noUses, type Uses } from '../../storage/tables/uses.ts';
import { CAPACITY_MAX, createUseRooms } from './use-rooms.ts';

/** The refusal of an assertion. Its detail becomes a text when it is written. */
export interface PendingCredentialRefusal extends RefusingCredential {
  at: number;
  address: string;
}

/** The uses and refusals of one minute that are not written yet. */
export interface Gathered {
  /** The start of the minute. */
  minute: number;
  uses: Uses;
  /** Issued tokens by organisation. */
  organisationTokens: Map<string, number>;
  refusals: Map<string, Refusals>;
  /** The last one of each key and trust rule, by its id. */
  credentialRefusals: Map<string, PendingCredentialRefusal>;
  /**
   * The number of the flush that tried to write this, with an unknown outcome. It is written again unchanged
   * under the same number. Null if no flush has tried.
   */
  flush: number | null;
}

/**
 * The usage that waits in memory to be written. It is bounded, whatever callers do, and however long the
 * store is out of reach.
 */
export interface UsageGathering {
  noteUse(use: CredentialUse, address: string, tokens: number): void;
  noteRefusal(reason: RefusalReason, apiUser: KnownApiUser | undefined, nowMs: number): void;
  /** Notes the last assertion that each of these keys and trust rules refused. */
  noteCredentialRefusals(credentials: readonly RefusingCredential[], address: string, nowMs: number): void;
  /** Removes and returns everything, one item per minute, the oldest first. */
  drain(nowMs: number): Gathered[];
  /** Takes back what could not be written, for the next flush. */
  putBack(gathered: readonly Gathered[]): void;
  /** Takes uses that are written: their room serves for later ones. */
  reuse(written: Uses): void;
  /** Tokens of an organisation since the minute of `fromMs` that wait to be written. */
  waitingTokens(organisationId: string, fromMs: number): number;
  /** The number of waiting uses and refusals. */
  waiting(): number;
  /** Uses that were not counted, because too many waited. */
  lost(): number;
}

/**
 * At most this many pairs of API user and reason are counted separately. Beyond that, refusals are counted by
 * reason only.
 */
const REFUSALS_MAX = 10_000;
/** While this many last refusals of keys and trust rules wait, those of others are not noted. */
const CREDENTIAL_REFUSALS_MAX = 1000;
const SUBJECT_LENGTH_MAX = 300;

/**
 * Calls `full` when `usesMax` uses wait. Beyond that, only further uses of the same credentials are counted.
 */
export function createUsageGathering(usesMax: number, full: () => void): UsageGathering {
  let current = emptyMinute(0);
  /** Minutes that are over, or that could not be written. */
  let closed: Gathered[] = [];
  let lost = 0;
  const numbers = createNumbers();
  const rooms = createUseRooms();

  /** Closes the current minute: later uses and refusals are gathered apart from it. */
  function close(nowMs: number): void {
    numbers.startAfter(current.uses.size);
    const gathered = ALL_IN.reduce((sum, of) => sum + of(current), 0);
    if (gathered > 0) closed = byMinute([...closed, current]);
    else rooms.reuse(current.uses);
    current = emptyMinute(startOf('minute', nowMs), rooms.next());
  }

  /** Closes the minute when it is over, or when the clock was set back by more than a minute. */
  function turnMinute(nowMs: number): void {
    const sinceMs = nowMs - current.minute;
    if (sinceMs >= UNIT_MS.minute || sinceMs < -UNIT_MS.minute) close(nowMs);
  }

  /** The number of these that wait. */
  function waiting(of: (gathered: Gathered) => number): number {
    return closed.reduce((sum, gathered) => sum + of(gathered), of(current));
  }

  function addTokens(organisationId: string, tokens: number): void {
    const { organisationTokens } = current;
    const before = organisationTokens.get(organisationId);
    if (before === undefined && waiting(organisationsIn) >= ORGANISATIONS_MAX) lost += tokens;
    else organisationTokens.set(organisationId, (before ?? 0) + tokens);
  }

  return {
    noteUse({ apiUser, credentialId, nowMs, subject }, address, tokens) {
      turnMinute(nowMs);
      const { organisation } = apiUser.policy;
      if (organisation !== null && tokens > 0) addTokens(organisation.id, tokens);
      const lastSubject = typeof subject !== 'string' ? null : storedText(subject, SUBJECT_LENGTH_MAX);
      const { uses } = current;
      const pending = numbers.find(uses, apiUser, credentialId);
      if (pending !== null) {
        uses.lastUsedAt[pending] = nowMs;
        uses.addresses[pending] = address;
        uses.counts[pending] = (uses.counts[pending] ?? 0) + 1;
        uses.tokens[pending] = (uses.tokens[pending] ?? 0) + tokens;
        if (lastSubject !== null) uses.subjects.set(pending, lastSubject);
        else if (uses.subjects.size > 0) uses.subjects.delete(pending);
        return;
      }
      if (waiting(usesIn) >= usesMax) {
        lost += 1;
        return;
      }
      addUse(uses, {
        credentialId,
        lastUsedAt: nowMs,
        lastUsedAddress: address,
        count: 1,
        tokens,
        of: apiUser,
        lastSubject,
      });
      numbers.add(apiUser);
      if (uses.size === usesMax) full();
    },
    noteRefusal(reason, apiUser, nowMs) {
      turnMinute(nowMs);
      const clientId = apiUser?.clientId ?? null;
      const isFull = waiting(refusalsIn) >= REFUSALS_MAX;
      const organisationId = apiUser?.policy.organisation?.id ?? null;
      countRefusal(current.refusals, { clientId, organisationId, reason, count: 1 }, isFull);
    },
    noteCredentialRefusals(credentials, address, nowMs) {
      turnMinute(nowMs);
      const { credentialRefusals: noted } = current;
      for (const { credentialId, reason, detail } of credentials) {
        if (!noted.has(credentialId) && waiting(credentialRefusalsIn) >= CREDENTIAL_REFUSALS_MAX) continue;
        noted.set(credentialId, { credentialId, at: nowMs, address, reason, detail });
      }
    },
    drain(nowMs) {
      close(nowMs);
      const taken = closed;
      closed = [];
      return taken;
    },
    putBack: (gathered) => {
      closed = byMinute([...gathered, ...closed]);
    },
    reuse: rooms.reuse,
    waitingTokens: (id, fromMs) =>
      waiting(({ minute, organisationTokens }) => (minute < fromMs ? 0 : (organisationTokens.get(id) ?? 0))),
    waiting: () => ALL_IN.reduce((sum, of) => sum + waiting(of), 0),
    lost: () => lost,
  };
}

/** The numbers of the waiting uses, by which an API user finds its own ones. */
interface Numbers {
  /** The position of the use of this credential among those of the current minute; null without one. */
  find(uses: Uses, apiUser: KnownApiUser, credentialId: string): number | null;
  /** Gives a number to the last one of the uses, which is of this API user. */
  add(apiUser: KnownApiUser): void;
  /** The numbers of the next uses follow those of this many. */
  startAfter(count: number): void;
}

/** Numbers start again before they need more than the 31 bits of a small integer of V8. */
const NUMBER_MAX = 2 ** 30;
const FIRST_NUMBERS = 64;

function createNumbers(): Numbers {
  let first = 0;
  /** By position: that of the use of a further credential of the same API user, or `NO_USE`. */
  let others = new Int32Array(FIRST_NUMBERS);
  let size = 0;

  /** The position of the last use of an API user, or a wrong one if numbers started again since. */
  function lastPosition({ useNumber }: KnownApiUser): number {
    const position = useNumber - first;
    return position >= 0 && position < size ? position : NO_USE;
  }

  return {
    find(uses, apiUser, credentialId) {
      let position = lastPosition(apiUser);
      while (position !== NO_USE && !isUseOf(uses, position, credentialId))
        position = others[position] ?? NO_USE;
      return position === NO_USE ? null : position;
    },
    add(apiUser) {
      const other = lastPosition(apiUser);
      if (size === others.length) others = larger(others, new Int32Array(2 * size));
      apiUser.useNumber = first + size;
      others[size] = other;
      size += 1;
    },
    startAfter(count) {
      first = first + count < NUMBER_MAX ? first + count : 0;
      if (others.length > CAPACITY_MAX * size) others = new Int32Array(FIRST_NUMBERS);
      size = 0;
    },
  };
}

/** If `isFull`, counts another pair of API user and reason by reason only. */
function countRefusal(refusals: Map<string, Refusals>, refused: Refusals, isFull: boolean): void {
  const { clientId, reason } = refused;
  let key = clientId === null ? reason : `${reason} ${clientId}`;
  if (isFull && !refusals.has(key)) key = reason;
  const counted = refusals.get(key);
  if (counted !== undefined) counted.count += 1;
  else refusals.set(key, key === reason ? { ...refused, clientId: null, organisationId: null } : refused);
}

const usesIn = ({ uses }: Gathered): number => uses.size;
const refusalsIn = ({ refusals }: Gathered): number => refusals.size;
const organisationsIn = ({ organisationTokens }: Gathered): number => organisationTokens.size;
const credentialRefusalsIn = ({ credentialRefusals }: Gathered): number => credentialRefusals.size;
const ALL_IN = [usesIn, organisationsIn, refusalsIn, credentialRefusalsIn];

export function emptyMinute(minute: number, uses: Uses = noUses()): Gathered {
  return {
    minute,
    uses,
    organisationTokens: new Map(),
    refusals: new Map(),
    credentialRefusals: new Map(),
    flush: null,
  };
}

/**
 * Puts items with a flush number first, then merges the others into one per minute, even if several flushes
 * failed in it.
 */
function byMinute(all: readonly Gathered[]): Gathered[] {
  const minutes = new Map<number, Gathered>();
  for (const gathered of all) {
    if (gathered.flush !== null) continue;
    const same = minutes.get(gathered.minute);
    if (same === undefined) {
      minutes.set(gathered.minute, gathered);
      continue;
    }
    appendUses(same.uses, gathered.uses);
    for (const [id, tokens] of gathered.organisationTokens) {
      same.organisationTokens.set(id, (same.organisationTokens.get(id) ?? 0) + tokens);
    }
    for (const [id, refused] of gathered.credentialRefusals) same.credentialRefusals.set(id, refused);
    for (const [key, refusals] of gathered.refusals) {
      const counted = same.refusals.get(key);
      if (counted === undefined) same.refusals.set(key, refusals);
      else counted.count += refusals.count;
    }
  }
  return [...all.filter(({ flush }) => flush !== null), ...minutes.values()];
}
