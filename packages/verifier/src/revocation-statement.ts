import { isAlgorithm, type Algorithm } from './algorithms.ts';
import type { KeySet } from './key-set.ts';
import { quoted } from './quoted.ts';
import { verifySignature } from './signature.ts';
import { parseJson } from './text-encoding.ts';

/** The signed statement about a revocation list. */
export interface Statement {
  /** When the list was complete, in seconds since 1970. */
  iat: number;
  /** Number of the last change in the list. */
  n: number;
  sha256: string;
}

interface StatementRules {
  issuer: string;
  algorithms: readonly Algorithm[];
  clockSkewSeconds: number;
  /** The maximum age of a list. */
  staleSeconds: number;
}

const STATEMENT_TYPE = 'mintmark-revocations+jwt';
/** A lower change number means a node that lags; in a list this much newer, a restored store. */
const BEHIND_SECONDS = 60;

/** Throws an Error if the issuer did not sign the statement, or if it is too old or from the future. */
export async function readStatement(
  jws: string,
  keySet: KeySet,
  rules: StatementRules,
  nowMs: number,
): Promise<Statement> {
  await keySet.ready();
  const arrival = keySet.arrival();
  const { payload } = await verifySignature(
    jws,
    async ({ alg, kid, typ }) => {
      if (typ !== STATEMENT_TYPE)
        throw new Error('The statement about the revocation list has the wrong type.');
      if (!isAlgorithm(alg) || typeof kid !== 'string') throw new Error('The statement names no key.');
      return { algorithm: alg, keys: await keySet.find(kid, alg, arrival) };
    },
    { algorithms: [...rules.algorithms] },
  );
  const statement = parseJson(payload, 'The revocation list’s statement') as Record<string, unknown> | null;
  const { iss, iat, n, sha256 } = statement ?? {};
  if (iss !== rules.issuer) {
    throw new Error(`The revocation list is of another issuer: ${quoted(iss)}, not ${quoted(rules.issuer)}.`);
  }
  if (!Number.isFinite(iat) || !Number.isSafeInteger(n) || typeof sha256 !== 'string') {
    throw new Error('The revocation list’s statement lacks a member.');
  }
  refuseWrongTime(iat as number, rules, nowMs);
  return { iat: iat as number, n: n as number, sha256 };
}

function refuseWrongTime(iat: number, rules: StatementRules, nowMs: number): void {
  const ageSeconds = nowMs / 1000 - iat;
  if (ageSeconds < -rules.clockSkewSeconds) {
    const seconds = Math.ceil(-ageSeconds);
    throw new Error(
      `The revocation list is ${seconds} s from the future: compare this clock with the issuer’s.`,
    );
  }
  if (ageSeconds > rules.staleSeconds + rules.clockSkewSeconds) {
    throw new Error('The revocation list is too old.');
  }
}

/** Throws an Error if the new list is behind the present one. */
export function refuseBehind(statement: Statement, before: Statement | null): void {
  if (before === null || statement.n >= before.n || statement.iat >= before.iat + BEHIND_SECONDS) return;
  throw new Error('The revocation list is older than the present one.');
}
