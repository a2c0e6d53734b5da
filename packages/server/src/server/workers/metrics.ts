import type { Worker } from 'node:cluster';
import { valueWithin } from '../../lib/deadline.ts';
import { shareRun } from '../../lib/single-flight.ts';
import { mergedMetrics } from './merged-metrics.ts';

/** A worker that does not answer within this time is left out. */
const ANSWER_MS = 1000;

/** Collects the metrics of all workers for the one that got the request. */
export interface MetricsOfAll {
  /** Records a worker's answer. */
  answered(worker: Worker, request: number, text: string): void;
  /** Returns the metrics of all workers and of this process. Calls at the same time share one collection. */
  gather(): Promise<string>;
}

export interface MetricsOfAllSources {
  workers(): readonly Worker[];
  /** Requests the metrics of a worker, which come to `answered`. */
  ask(worker: Worker, request: number): void;
  /** The metrics of this process. */
  own(): string;
}

export function createMetricsOfAll({ workers, ask, own }: MetricsOfAllSources): MetricsOfAll {
  let request = 0;
  let expected = new Map<Worker, string | null>();
  let complete: () => void = () => undefined;

  async function gatherAll(): Promise<string> {
    request += 1;
    expected = new Map(workers().map((worker) => [worker, null]));
    const all = new Promise<void>((resolve) => {
      complete = resolve;
    });
    for (const worker of expected.keys()) ask(worker, request);
    await valueWithin(all, ANSWER_MS, undefined);
    const texts = Array.from(expected.values()).filter((text) => text !== null);
    return mergedMetrics([...texts, own()]);
  }

  return {
    answered(worker, answering, text) {
      if (answering !== request || expected.get(worker) !== null) return;
      expected.set(worker, text);
      if (!Array.from(expected.values()).includes(null)) complete();
    },
    gather: shareRun(gatherAll),
  };
}
