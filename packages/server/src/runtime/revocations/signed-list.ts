import type { ChangeFeed } from '../change-feed.ts';
import type { ClockWatch } from '../clock-watch.ts';
import type { Keyring } from '../signing-keys.ts';
import type { PublishedList, RevocationList } from './revocation-list.ts';

/** What a process publishes: the revocation list, and a signed statement of how recent it is. */
export interface RevocationPublication {
  list: PublishedList;
  /** A compact JWS. */
  statement: string;
}

/** One signature serves all verifiers that poll within this time. */
const STATEMENT_KEPT_MS = 1000;

/**
 * Returns the revocation list with a signed statement of when it was complete: at the latest, when this
 * process was last known to be in step with the store. A process that is cut off from the store therefore
 * cannot present an old list as current. Returns null if it cannot sign: without a key, with a wrong clock,
 * or until it has read again what it dropped with a wrong clock.
 */
export function createPublication(
  list: RevocationList,
  keyring: Pick<Keyring, 'statementSigner'>,
  feed: Pick<ChangeFeed, 'applied' | 'staleMs'>,
  clocks: Pick<ClockWatch, 'isOff' | 'earlier' | 'now'>,
  issuer: string,
): () => RevocationPublication | null {
  let current: (RevocationPublication & { signedAt: number }) | undefined;
  return () => {
    const nowMs = clocks.now();
    const earlierMs = clocks.earlier();
    const published = list.published(earlierMs);
    if (clocks.isOff() || list.lacksSome(earlierMs)) return null;
    const age = nowMs - (current?.signedAt ?? 0);
    if (current?.list === published && age >= 0 && age < STATEMENT_KEPT_MS) return current;
    const sign = keyring.statementSigner(nowMs);
    if (sign === undefined) return null;
    const iat = Math.floor((nowMs - feed.staleMs()) / 1000);
    const statement = sign(JSON.stringify({ iss: issuer, iat, n: feed.applied(), sha256: published.sha256 }));
    current = { list: published, statement, signedAt: nowMs };
    return current;
  };
}
