import type { AccessToken } from './access-token.ts';
import type { Algorithm } from './algorithms.ts';
import { createBackOff, Unavailable } from './back-off.ts';
import { fetchBytes, type FetchLimits } from './fetch-json.ts';
import type { KeySet } from './key-set.ts';
import { EMPTY_LIST, revocationList, type RevocationList } from './revocation-list.ts';
import { readStatement, refuseBehind, type Statement } from './revocation-statement.ts';

export interface RevocationsOptions {
  /** Interval between fetches of the list, in seconds. */
  pollSeconds: number;
  /** Maximum age of the list, in seconds. Then `onStale` applies. */
  staleSeconds: number;
  onStale: 'refuse' | 'accept';
  listBytesMax: number;
}

export interface RevocationsSettings extends FetchLimits {
  issuer: string;
  algorithms: readonly Algorithm[];
  clockSkewSeconds: number;
  clock: () => number;
  onFailure: (error: unknown) => void;
}

/** An issuer's revocations. Use refreshes them; there are no timers. */
export interface Revocations {
  /** Whether the list may be used without a request to the issuer. */
  isFresh(nowMs: number): boolean;
  /** Waits for a usable list. Throws Unavailable. */
  ready(): Promise<void>;
  /** Changes with the list. */
  generation(): number;
  /** A promise in runtimes without a synchronous digest. */
  includes(token: AccessToken<unknown>): boolean | Promise<boolean>;
}

/** For verifiers without a revocation list. */
export const NO_REVOCATIONS: Revocations = {
  isFresh: () => true,
  ready: async () => undefined,
  generation: () => 0,
  includes: () => false,
};

interface Held {
  list: RevocationList;
  /** Null if the issuer publishes no list. */
  statement: Statement | null;
  /** Start of the fetch that confirmed the list. */
  confirmedMs: number;
  /** The list is complete up to this time, which is never after `confirmedMs`. */
  asOfMs: number;
}

/** `listUrl` returns undefined if the issuer publishes no list. */
export function createRevocations(
  listUrl: () => Promise<string | undefined>,
  keySet: KeySet,
  options: RevocationsOptions,
  settings: RevocationsSettings,
): Revocations {
  const { clock } = settings;
  const pollMs = options.pollSeconds * 1000;
  const staleMs = options.staleSeconds * 1000;
  let held: Held | undefined;
  let generation = 0;
  const backOff = createBackOff();
  let inFlight: Promise<void> | undefined;

  /** Callers share one fetch. Never rejects: `backOff` keeps the error. */
  function renew(): Promise<void> {
    inFlight ??= load().finally(() => {
      inFlight = undefined;
    });
    return inFlight;
  }

  async function load(): Promise<void> {
    try {
      const loaded = await fetchList(clock());
      if (loaded.list !== held?.list) generation += 1;
      held = loaded;
      backOff.succeeded();
    } catch (error) {
      backOff.failed(error, clock());
      settings.onFailure(error);
    }
  }

  async function fetchList(startedMs: number): Promise<Held> {
    const url = await listUrl();
    if (url === undefined) {
      // Without a list nothing can become stale; the metadata is read again every hour.
      const asOfMs = Number.POSITIVE_INFINITY;
      return { list: EMPTY_LIST, statement: null, confirmedMs: startedMs, asOfMs };
    }
    const headers: Record<string, string> = { accept: 'application/vnd.mintmark.revocations' };
    const before = held?.statement ?? null;
    if (before !== null) headers['if-none-match'] = `"${before.sha256}"`;
    const answer = await fetchBytes(url, headers, settings, options.listBytesMax);
    if (answer.status !== 200 && answer.status !== 304) {
      throw new Error(`GET ${url} answered with status ${answer.status}.`);
    }
    const jws = answer.headers.get('mintmark-revocations') ?? '';
    const statement = await readStatement(jws, keySet, { ...settings, ...options }, startedMs);
    refuseBehind(statement, before);
    const asOfMs = Math.min(startedMs, (statement.iat + settings.clockSkewSeconds) * 1000);
    const confirmed = { statement, confirmedMs: startedMs, asOfMs };
    if (held !== undefined && before?.sha256 === statement.sha256) return { list: held.list, ...confirmed };
    if (answer.body === undefined)
      throw new Error(`GET ${url}: its 304 is about a list that this verifier does not have.`);
    // WebCrypto runs on another thread: a digest of megabytes must not block this one.
    const digest = await crypto.subtle.digest('SHA-256', answer.body as Uint8Array<ArrayBuffer>);
    if (base64url(new Uint8Array(digest)) !== statement.sha256) {
      throw new Error(`GET ${url}: the list does not match its statement.`);
    }
    return { list: await revocationList(answer.body), ...confirmed };
  }

  /** After the clock is set back, the list counts as due now and as complete up to now. */
  function noticeClockSetBack(nowMs: number): void {
    if (held === undefined || held.statement === null || nowMs >= held.confirmedMs) return;
    held = { ...held, confirmedMs: nowMs - pollMs, asOfMs: Math.min(held.asOfMs, nowMs) };
    backOff.retryFrom(nowMs);
  }

  const asOfMs = () => held?.asOfMs ?? Number.NEGATIVE_INFINITY;

  return {
    isFresh: (nowMs) => held !== undefined && nowMs - held.confirmedMs < pollMs && nowMs >= held.confirmedMs,
    generation: () => generation,
    includes: (token) => held?.list.includes(token) ?? false,

    async ready() {
      const nowMs = clock();
      noticeClockSetBack(nowMs);
      const age = nowMs - (held?.confirmedMs ?? Number.NEGATIVE_INFINITY);
      const renewed = inFlight ?? (backOff.mayTry(nowMs) ? renew() : undefined);
      // While the issuer is down, a usable list serves callers without a wait.
      if ((age < 2 * pollMs || backOff.failing()) && nowMs - asOfMs() < staleMs) return;
      await renewed;
      const laterMs = clock();
      if (laterMs - asOfMs() < staleMs || options.onStale === 'accept') return;
      const message = `The revocation list of ${settings.issuer} cannot be fetched, and the last one is too old to use.`;
      throw new Unavailable('revocations_unavailable', message, backOff, laterMs);
    },
  };
}

function base64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
}
