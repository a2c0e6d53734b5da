import { auditHash, type AuditEntry, type AuditLink } from './audit-entry.ts';

/** What is wrong with the chain, at its first bad entry. */
export interface ChainFault {
  n: number;
  /**
   * `changed`: the entry is not what was written, or does not follow the one before. `missing`: it was written, and is not
   * there. `added`: nobody wrote it. `unlike`: it is not the one that was noted elsewhere.
   */
  fault: 'changed' | 'missing' | 'added' | 'unlike';
}

/** Follows the chain from the entry after `from` on, as far as `entries` go; stops before the first bad one. */
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

/** Both ends of the chain, as the store tells them, and the entries that there are. */
export interface ChainEnds {
  /** The last entry that was written. */
  last: AuditLink;
  /** The last entry that was removed because it was kept long enough. */
  removed: AuditLink;
  /** The lowest and highest number that there is; null where there is no entry. */
  found: { lowest: number; highest: number } | null;
}

/** What is wrong with the ends, after the chain was followed to `reached`, where no entry comes after. */
export function endFault({ last, removed, found }: ChainEnds, reached: AuditLink): ChainFault | null {
  if (found !== null && found.lowest <= removed.n) return { n: found.lowest, fault: 'added' };
  if (reached.n < last.n) return { n: reached.n + 1, fault: 'missing' };
  if (reached.n > last.n) return { n: last.n + 1, fault: 'added' };
  return reached.hash === last.hash ? null : { n: reached.n, fault: 'changed' };
}
