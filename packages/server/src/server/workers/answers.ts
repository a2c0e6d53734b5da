/** Questions that a worker asks the primary process, each with one answer. */
export interface AnswersOfPrimary<A> {
  /** `send` gets the number of the question. Rejects if the primary process does not answer in time. */
  ask(send: (request: number) => void): Promise<A>;
  /** The answer to a question. */
  answered(request: number, answer: A): void;
}

/** The primary process is local and does little: if it is slower than this, the whole machine is too slow. */
const ANSWER_MS = 1000;
/** At most this many questions wait for the primary process. */
const WAITING_MAX = 10_000;

/** The worker's side. The primary's side is in requests.ts. */
export function answersOfPrimary<A>(): AnswersOfPrimary<A> {
  const waiting = new Map<number, (answer: A) => void>();
  let last = 0;
  return {
    ask: async (send) =>
      await new Promise((resolve, reject) => {
        if (waiting.size >= WAITING_MAX) return reject(new Error('the primary process does not answer'));
        last += 1;
        const request = last;
        const timer = setTimeout(() => {
          waiting.delete(request);
          reject(new Error(`no answer within ${ANSWER_MS} ms`));
        }, ANSWER_MS);
        waiting.set(request, (answer) => {
          clearTimeout(timer);
          resolve(answer);
        });
        send(request);
      }),
    answered(request, answer) {
      waiting.get(request)?.(answer);
      waiting.delete(request);
    },
  };
}
