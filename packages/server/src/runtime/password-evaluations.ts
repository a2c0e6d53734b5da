import { createHmac, randomBytes } from 'node:crypto';
import { argon2idMatches } from '../lib/argon2id.ts';
import { singleFlight } from '../lib/single-flight.ts';
import { createSemaphore } from '../lib/semaphore.ts';

/**
 * Evaluates slow hashes: a few at a time, with a short queue behind them. Identical guesses in flight share
 * one hash.
 */
export interface PasswordEvaluations {
  /** A keyed digest, with which this process compares passwords without a copy of them. */
  proofOf(password: string): string;
  /**
   * Whether the password matches the hash; null if the queue is full. A guess shares its evaluation only with
   * identical guesses at the same `name`. All names without a password have the same hash: with a full queue,
   * an evaluation shared between names would reveal which names these are.
   */
  evaluate(name: string, password: string, hash: string): Promise<boolean> | null;
}

export function passwordEvaluations(atATime: number, queueMax: number): PasswordEvaluations {
  const processKey = randomBytes(32);
  const semaphore = createSemaphore(atATime, queueMax);
  const underWay = singleFlight<boolean>();
  const proofOf = (password: string) =>
    createHmac('sha256', processKey).update(password.normalize('NFC')).digest('base64url');
  return {
    proofOf,
    evaluate(name, password, hash) {
      const key = `${proofOf(password)} ${hash} ${name}`;
      const joined = underWay.get(key);
      if (joined !== undefined) return joined;
      const working = semaphore.run(() => argon2idMatches(password, hash));
      return working && underWay.add(key, working);
    },
  };
}
