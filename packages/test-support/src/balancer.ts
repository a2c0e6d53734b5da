import { setTimeout as sleep } from 'node:timers/promises';
import type { Targets } from './steady-clients.ts';

/** A load balancer: polls each node's readiness and sends callers to ready nodes in turn. */
export interface Balancer extends Targets {
  stop(): Promise<void>;
}

const EVERY_MS = 50;
/** A node without an answer for this long is not ready. */
const ANSWER_MS = 500;

export function balancer(ports: readonly number[]): Balancer {
  const ready = new Set(ports);
  const state = { over: false };
  let turn = 0;
  const watching = ports.map(async (port) => {
    while (!state.over) {
      if (await isReady(port)) ready.add(port);
      else ready.delete(port);
      await sleep(EVERY_MS);
    }
  });
  return {
    next() {
      turn += 1;
      const all = Array.from(ready);
      return all[turn % all.length] ?? ports[0]!;
    },
    serves: (port) => ready.has(port),
    async stop() {
      state.over = true;
      await Promise.all(watching);
    },
  };
}

async function isReady(port: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/readyz`, {
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    await response.text();
    return response.ok;
  } catch {
    return false;
  }
}
