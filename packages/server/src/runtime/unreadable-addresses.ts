import type { Logger } from 'pino';
import type { Store } from '../storage/store.ts';

/** Reports text that a trusted proxy sent as the address of a caller, and that is not an address. */
export type NoteUnreadable = (proxy: string, named: string) => void;

/** The last report of an unreadable address, as `mintmark doctor` reads it from the store. */
export interface UnreadableAddress {
  /** Milliseconds since 1970 (UTC). */
  at: number;
  header: string;
  proxy: string;
}

/** Without this bound, a caller could fill the log. */
const LOGGED_EVERY_MS = 60_000;
const STORED_EVERY_MS = 10 * 60_000;
const FORM_LENGTH_MAX = 60;

/**
 * Reports that a trusted proxy sent something that is not an address: in the log at most once a minute, and
 * in the store for `mintmark doctor` at most every ten minutes.
 */
export function createUnreadableAddresses(
  store: Pick<Store, 'write'>,
  header: string,
  log: Logger,
  now: () => number,
): NoteUnreadable {
  let loggedAt = Number.NEGATIVE_INFINITY;
  let storedAt = Number.NEGATIVE_INFINITY;
  let others = 0;

  return (proxy, named) => {
    const at = now();
    if (Math.abs(at - loggedAt) < LOGGED_EVERY_MS) others += 1;
    else {
      log.warn({ header, proxy, form: formOf(named), others }, UNREADABLE);
      [loggedAt, others] = [at, 0];
    }
    if (Math.abs(at - storedAt) < STORED_EVERY_MS) return;
    storedAt = at;
    const report = JSON.stringify({ at, header, proxy } satisfies UnreadableAddress);
    const writing = store.write(({ meta }) => meta.set('unreadable_address', report));
    writing.catch((error: Error) =>
      log.warn({ error: error.message }, 'that could not be stored for doctor'),
    );
  };
}

const UNREADABLE =
  'a trusted proxy names no address that can be read: its callers share one budget, and allow-lists refuse them; see ' +
  '"Behind a proxy" in docs/operations.md';

/**
 * A stranger may have written the text, so the log gets only its shape: a 9 for each digit, an x for each
 * other letter.
 */
function formOf(named: string): string {
  return named
    .slice(0, FORM_LENGTH_MAX)
    .replaceAll(/\d/g, '9')
    .replaceAll(/[^-9\s"%,./:;=[\]_]/g, 'x');
}
