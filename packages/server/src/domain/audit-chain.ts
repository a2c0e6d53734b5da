import { auditHash, type AuditEntry, type AuditLink } from './audit-entry.ts';

/** The first fault of the chain. */
export interface ChainFault {
  n: number;
  /**
   * `changed`: the entry differs from what Mintmark wrote, or does not follow its predecessor. `missing`:
   * Mintmark wrote the entry, but the store lacks it. `added`: Mintmark did not write the entry. `unlike`:
   * the entry differs from the one that was noted elsewhere.
   */
  fault: 'changed' | 'missing' | 'added' | 'unlike';
}

/** Checks that `entries` continue the chain after `from`. Stops before the first bad entry. */
export function followChain(
  from: AuditLink,
  entries: readonly AuditEntry[],
): { last: AuditLink; fault: ChainFault | null } {
  let last = from;
  for (const { hash, ...entry } of entries) {
    const n = last.n + 1;
    if (entry.n !== n) return { last, fault: { n, fault: 'missing' } };
    if (auditHash(entry, last.hash) !== hash) return { last, fault: { n, fault: 'changed' } };
    last = { n, hash };
  }
  return { last, fault: null };
}

/** Both ends of the chain as the store records them, and the range of the entries that it holds. */
export interface ChainEnds {
  /** The last entry that was written. */
  last: AuditLink;
  /** The last entry that maintenance removed at the end of its retention. */
  removed: AuditLink;
  /** The lowest and highest number of the entries in the store; null: it holds none. */
  range: { lowest: number; highest: number } | null;
}

/** The fault at the ends of the chain, once the caller has followed it to its last entry, `reached`. */
export function endFault({ last, removed, range }: ChainEnds, reached: AuditLink): ChainFault | null {
  if (range !== null && range.lowest <= removed.n) return { n: range.lowest, fault: 'added' };
  if (reached.n < last.n) return { n: reached.n + 1, fault: 'missing' };
  if (reached.n > last.n) return { n: last.n + 1, fault: 'added' };
  return reached.hash === last.hash ? null : { n: reached.n, fault: 'changed' };
}
