import type { Worker } from 'node:cluster';
import { mergedMetrics } from './merged-metrics.ts';

/** A worker that does not answer within this time is left out. */
const ANSWER_MS = 1000;

/** Collects the metrics of all workers for the one that got the request. */
export interface MetricsOfAll {
  /** Records a worker's answer. */
  answered(worker: Worker, request: number, text: string): void;
  /** Returns the metrics of these workers and `own`. Requests at the same time share one collection. */
  gather(workers: readonly Worker[], own: string): Promise<string>;
}

export function createMetricsOfAll(ask: (worker: Worker, request: number) => void): MetricsOfAll {
  let request = 0;
  let expected = new Map<Worker, string | null>();
  let gathering: Promise<string> | undefined;
  let complete: () => void = () => undefined;

  async function gatherAll(workers: readonly Worker[], own: string): Promise<string> {
    request += 1;
    expected = new Map(workers.map((worker) => [worker, null]));
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ANSWER_MS);
      complete = () => {
        clearTimeout(timer);
        resolve();
      };
      for (const worker of workers) ask(worker, request);
    });
    const texts = Array.from(expected.values()).filter((text) => text !== null);
    return mergedMetrics([...texts, own]);
  }

  return {
    answered(worker, answering, text) {
      if (answering !== request || expected.get(worker) !== null) return;
      expected.set(worker, text);
      if (!Array.from(expected.values()).includes(null)) complete();
    },
    async gather(workers, own) {
      gathering ??= gatherAll(workers, own).finally(() => {
        gathering = undefined;
      });
      return await gathering;
    },
  };
}
