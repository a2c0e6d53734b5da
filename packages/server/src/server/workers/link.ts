import type { Metrics } from '../../runtime/usage/metrics.ts';
import { limitsOfPrimary, type LimitsOfPrimary } from './limits.ts';
import type { ToPrimary, ToWorker, WorkerPart } from './messages.ts';

/** A worker's side of the channel to the primary process. */
export interface Link {
  /** Says hello; resolves to what this worker is. */
  start(): Promise<WorkerPart>;
  ready(): void;
  /** Resolves when this worker is to stop: because it was told to, or the primary is gone, or somebody signals it. */
  told: Promise<{ drain: boolean; replaced: boolean }>;
  limits: LimitsOfPrimary;
  /** The metrics of all workers, of which `own` are those of this one. */
  allMetrics(own: Metrics): Metrics;
  close(): void;
}

/** Longer than the primary process waits for its workers (metrics.ts). */
const METRICS_MS = 3000;

/** How often a worker that starts says so: much less than the primary process waits for it (place.ts). */
const STARTING_MS = 10_000;

/** As after SIGTERM: the primary process is gone. */
const EXIT_GONE = 143;

export function linkToPrimary(): Link {
  const started = Promise.withResolvers<WorkerPart>();
  const told = Promise.withResolvers<{ drain: boolean; replaced: boolean }>();
  const limits = limitsOfPrimary((batch, calls) => send({ kind: 'count', batch, calls }));
  const asked = new Map<number, (text: string) => void>();
  let request = 0;
  let own: Metrics | undefined;
  let isStarting = true;
  const beat = setInterval(() => send({ kind: 'starting' }), STARTING_MS);

  /** What cannot be sent any more is missed by nobody. */
  function send(message: ToPrimary): void {
    if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
  }

  function receive(message: ToWorker): void {
    switch (message.kind) {
      case 'start':
        return started.resolve(message);
      case 'stop':
        return told.resolve(message);
      case 'counted':
        return limits.counted(message.batch, message.counts);
      case 'tell metrics':
        void own?.text().then((text) => send({ kind: 'metrics', request: message.request, text }));
        return undefined;
      case 'all metrics':
        asked.get(message.request)?.(message.text);
        asked.delete(message.request);
        return undefined;
    }
  }

  process.on('message', receive);
  process.on('disconnect', () => {
    // Its start waits for answers that will not come, and nothing is under way.
    if (isStarting) process.exit(EXIT_GONE);
    limits.close();
    told.resolve({ drain: false, replaced: false });
  });
  process.on('SIGTERM', () => told.resolve({ drain: true, replaced: false }));
  process.on('SIGINT', () => undefined); // Ctrl-C reaches all; the primary process says what to do
  process.on('SIGHUP', () => undefined);

  function hasStarted(): void {
    isStarting = false;
    clearInterval(beat);
  }

  return {
    start: async () => {
      send({ kind: 'hello' });
      return await started.promise;
    },
    ready() {
      hasStarted();
      send({ kind: 'ready' });
    },
    told: told.promise,
    limits,
    allMetrics(ownMetrics) {
      own = ownMetrics;
      const text = async (): Promise<string> =>
        await new Promise((resolve) => {
          request += 1;
          const asking = request;
          const answer = (all: string) => {
            clearTimeout(timer);
            asked.delete(asking);
            resolve(all);
          };
          const timer = setTimeout(() => void ownMetrics.text().then(answer), METRICS_MS);
          asked.set(asking, answer);
          send({ kind: 'ask for metrics', request: asking });
        });
      return { contentType: ownMetrics.contentType, text };
    },
    close() {
      hasStarted();
      if (process.connected) process.disconnect?.(); // not where the primary process is gone
    },
  };
}
