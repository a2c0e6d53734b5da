import type { Probe } from './probe.ts';
import type { Exchange } from './redactor.ts';

export type Level = 'MUST' | 'SHOULD' | 'MAY';

export type Outcome = 'pass' | 'fail' | 'deviation' | 'not applicable' | 'needs';

/** One rule of a standard, and how a server shows that it follows the rule. */
export interface Check {
  /** Stays the same from version to version: declared deviations and reports name it. */
  id: string;
  /** `RFC 6749 §5.1` */
  section: string;
  level: Level;
  /** The rule in one sentence. */
  rule: string;
  /** Resolves to null if the server follows the rule, else to what it does instead. */
  run(probe: Probe): Promise<string | null>;
}

export interface CheckResult extends Omit<Check, 'run'> {
  outcome: Outcome;
  /** What the server does instead, why the rule does not apply, or what the check needs; else null. */
  detail: string | null;
  /** Why the operator declared this deviation. */
  reason: string | null;
  /** What was sent and seen, for a failure or a deviation. */
  exchanges: Exchange[];
}
