import { Worker } from 'node:worker_threads';
import { AppError } from '../../domain/app-error.ts';
import { createSemaphore } from '../../lib/semaphore.ts';
import { threadEnvironment } from '../../lib/thread-environment.ts';

/** The input of the worker. */
export interface GuessableQuestion {
  password: string;
  /** Words that an attacker tries for this operator. */
  words: readonly string[];
}

/**
 * Runs one check at a time, because each costs a fifth of a second and 60 MB. Only operators who are signed
 * in or invited can start one.
 */
const semaphore = createSemaphore(1, 20);

/**
 * Whether an attacker with a list of common passwords, and the usual changes to them, would soon guess this
 * one. The check runs on a thread of its own: loading the list and comparing would delay tokens
 * (docs/decisions/041).
 */
export async function isGuessable(question: GuessableQuestion): Promise<boolean> {
  const answer = semaphore.run(() => askWorker(question));
  if (answer !== null) return await answer;
  throw new AppError(
    'conflict',
    'Too many passwords are being chosen at this moment: try again in a minute.',
  );
}

function askWorker(workerData: GuessableQuestion): Promise<boolean> {
  // The worker is beside this file, both in the sources (.ts) and in the compiled package (.js).
  const name = `./guessable-password-worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`;
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(name, import.meta.url), { workerData, env: threadEnvironment() });
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', () => reject(new Error('The check of a password ended without an answer.')));
  });
}
