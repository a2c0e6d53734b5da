// Callers that request tokens at full speed over connections that stay open.
import type { MadeApiUser } from './store.ts';
import { keepAlive } from './keep-alive.ts';

export interface Crowd {
  /** Number of tokens issued so far. */
  issued(): number;
  /** Stops and returns the answers. */
  stop(): Promise<CrowdAnswers>;
}

export interface CrowdAnswers {
  issued: number;
  /** By status. */
  answers: Map<number, number>;
  p99Ms: number;
  slowestMs: number;
  /** Time from the first request to the last answer. */
  tookMs: number;
}

/** `connections` are spread over the ports. `pauseMs` is the pause after each answer. */
export async function startCrowd(
  ports: readonly number[],
  users: readonly MadeApiUser[],
  connections: number,
  pauseMs = 0,
): Promise<Crowd> {
  const callers = await Promise.all(
    Array.from({ length: connections }, async (_, i) => await keepAlive(ports[i % ports.length]!)),
  );
  const answers = new Map<number, number>();
  const tookMs: number[] = [];
  const state = { over: false };
  const startedAt = performance.now();
  const asking = callers.map(async (caller, i) => {
    const { client_id, client_secret } = users[Math.floor(i / ports.length) % users.length]!;
    const form = new URLSearchParams({ client_id, client_secret }).toString();
    while (!state.over) {
      const { status, micros } = await caller.post(form);
      answers.set(status, (answers.get(status) ?? 0) + 1);
      tookMs.push(micros / 1000);
      if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
    caller.close();
  });
  return {
    issued: () => answers.get(200) ?? 0,
    async stop() {
      state.over = true;
      await Promise.all(asking);
      const sorted = tookMs.toSorted((a, b) => a - b);
      return {
        issued: answers.get(200) ?? 0,
        answers,
        p99Ms: sorted[Math.floor(sorted.length * 0.99)] ?? 0,
        slowestMs: sorted.at(-1) ?? 0,
        tookMs: performance.now() - startedAt,
      };
    },
  };
}
