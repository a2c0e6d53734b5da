import type { CheckResult } from './check.ts';

/** What a server does otherwise on purpose, and says in its documentation. */
export interface Deviation {
  /** Id of the check. */
  check: string;
  /** A part of the failure's text. A failure without it stays a failure. */
  seen: string;
  reason: string;
}

/** The failure as a deviation, if it is the declared one. */
export function withDeviation(result: CheckResult, deviation: Deviation | undefined): CheckResult {
  if (deviation === undefined || result.outcome !== 'fail') return result;
  if (result.detail?.includes(deviation.seen) !== true) return result;
  return { ...result, outcome: 'deviation', reason: deviation.reason };
}

/** Declarations whose check did not fail in this way: they say something about the server that is not so. */
export function unusedDeviations(
  deviations: readonly Deviation[],
  results: readonly CheckResult[],
): Deviation[] {
  const ran = new Map(results.map(({ id, outcome }) => [id, outcome]));
  return deviations.filter(({ check }) => ran.has(check) && ran.get(check) !== 'deviation');
}

/** Reads a list of declarations; returns either them, or every fault in the text. */
export function parseDeviations(text: string, ids: ReadonlySet<string>): Deviation[] | string[] {
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch (error) {
    return [`The file is not JSON: ${(error as Error).message}.`];
  }
  if (!Array.isArray(list)) return ['The file must hold a list: [{"check": …, "seen": …, "reason": …}].'];
  const faults = list.flatMap((each: unknown, i) => faultsOf(each, ids).map((fault) => `[${i}]${fault}`));
  return faults.length > 0 ? faults : (list as Deviation[]);
}

function faultsOf(value: unknown, ids: ReadonlySet<string>): string[] {
  if (typeof value !== 'object' || value === null) return [' must be an object.'];
  const members = value as Record<string, unknown>;
  const faults = ['check', 'seen', 'reason']
    .filter((name) => typeof members[name] !== 'string' || members[name] === '')
    .map((name) => `.${name} must be a text.`);
  const { check } = members;
  const isKnown = typeof check !== 'string' || ids.has(check);
  return isKnown ? faults : [...faults, `.check: there is no check ${JSON.stringify(check)}; see --list.`];
}
