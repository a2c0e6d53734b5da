import { Worker } from 'node:worker_threads';
import { AppError } from '../../domain/app-error.ts';
import { createSlots } from '../../lib/semaphore.ts';

/** What the worker is given. */
export interface GuessableQuestion {
  password: string;
  /** Words that somebody who knows whose password it is would try. */
  words: readonly string[];
}

/** One at a time, because each costs a fifth of a second and 60 MB; only who is signed in or invited gets this far. */
const slots = createSlots(1, 20);

/**
 * Would a guesser with a list of common passwords, and the usual ways of changing them, soon find this one? Asked on a
 * thread of its own, because reading the list and comparing with it would hold up tokens (docs/decisions/041).
 */
export async function isGuessable(question: GuessableQuestion): Promise<boolean> {
  const answer = slots.run(() => askWorker(question));
  if (answer !== null) return await answer;
  throw new AppError(
    'conflict',
    'Too many passwords are being chosen at this moment: try again in a minute.',
  );
}

function askWorker(workerData: GuessableQuestion): Promise<boolean> {
  // Beside this file, in the sources (.ts) as in the compiled package (.js).
  const name = `./guessable-password-worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`;
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(name, import.meta.url), { workerData });
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', () => reject(new Error('The check of a password ended without an answer.')));
  });
}
