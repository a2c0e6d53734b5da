import { isAlgorithm, type Algorithm } from './algorithms.ts';
import type { KeySet } from './key-set.ts';
import { quoted } from './quoted.ts';
import { verifySignature } from './signature.ts';
import { parseJson } from './text-encoding.ts';

/** What the issuer signs about its revocation list. */
export interface Statement {
  /** Seconds since 1970 at which the list was complete. */
  iat: number;
  /** The number of the last change that is in it. */
  n: number;
  sha256: string;
}

interface StatementRules {
  issuer: string;
  algorithms: readonly Algorithm[];
  clockSkewSeconds: number;
  /** How old a list may be. */
  staleSeconds: number;
}

const STATEMENT_TYPE = 'mintmark-revocations+jwt';
/** A list with a lower number is that of a node that is behind; if it is so much younger, the store was restored. */
const BEHIND_SECONDS = 60;

/** Throws an Error where the text is not a statement of the issuer, or too old, or from the future. */
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
      if (typ !== STATEMENT_TYPE) throw new Error('The statement about the revocation list is none.');
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

/** Throws an Error where a list is behind the one that is held. */
export function refuseBehind(statement: Statement, before: Statement | null): void {
  if (before === null || statement.n >= before.n || statement.iat >= before.iat + BEHIND_SECONDS) return;
  throw new Error('The revocation list is older than the one that is held.');
}
