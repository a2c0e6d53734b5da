import type { AssertionUse, UseElsewhere } from '../../domain/used-assertion.ts';

/** Used assertions, which the primary process remembers for its workers: each is used once on the machine. */
export interface AssertionsOfPrimary {
  /** Rejects if the primary process does not answer in time. */
  use: UseElsewhere;
  /** The answer to a request. */
  answered(request: number, use: AssertionUse): void;
}

/** The primary process is local and does little: if it is slower than this, the whole machine is too slow. */
const ANSWER_MS = 1000;
/** At most this many requests wait for the primary process. */
const WAITING_MAX = 10_000;

/** The worker's side. The primary's side is in requests.ts. */
export function assertionsOfPrimary(
  send: (request: number, key: string, untilMs: number) => void,
): AssertionsOfPrimary {
  const waiting = new Map<number, (use: AssertionUse) => void>();
  let last = 0;
  return {
    use: async (key, untilMs) =>
      await new Promise((resolve, reject) => {
        if (waiting.size >= WAITING_MAX) return reject(new Error('the primary process does not answer'));
        last += 1;
        const request = last;
        const timer = setTimeout(() => {
          waiting.delete(request);
          reject(new Error(`no answer within ${ANSWER_MS} ms`));
        }, ANSWER_MS);
        waiting.set(request, (use) => {
          clearTimeout(timer);
          resolve(use);
        });
        send(request, key, untilMs);
      }),
    answered(request, use) {
      waiting.get(request)?.(use);
      waiting.delete(request);
    },
  };
}
