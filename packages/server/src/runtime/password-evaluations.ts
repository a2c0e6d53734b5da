import { createHmac, randomBytes } from 'node:crypto';
import { passwordMatches } from '../domain/password.ts';
import { singleFlight } from '../lib/single-flight.ts';
import { createSlots } from '../lib/semaphore.ts';

/** Slow hashes: a few at a time, a short queue behind them, and one for identical guesses that are in flight. */
export interface PasswordEvaluations {
  /** A keyed digest, by which this process compares passwords that it keeps no copy of. */
  proofOf(password: string): string;
  /**
   * Whether the password is the one of the hash; null if the queue is full. A guess shares its evaluation with identical guesses at
   * the same `name` only: all names without a password have the same hash, and with a full queue a shared evaluation would tell
   * which names these are.
   */
  evaluate(name: string, password: string, hash: string): Promise<boolean> | null;
}

export function passwordEvaluations(atATime: number, queueMax: number): PasswordEvaluations {
  const processKey = randomBytes(32);
  const slots = createSlots(atATime, queueMax);
  const underWay = singleFlight<boolean>();
  const proofOf = (password: string) =>
    createHmac('sha256', processKey).update(password.normalize('NFC')).digest('base64url');
  return {
    proofOf,
    evaluate(name, password, hash) {
      const key = `${proofOf(password)} ${hash} ${name}`;
      const joined = underWay.get(key);
      if (joined !== undefined) return joined;
      const working = slots.run(() => passwordMatches(password, hash));
      return working && underWay.add(key, working);
    },
  };
}
