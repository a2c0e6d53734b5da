import type { Metrics } from '../../runtime/usage/metrics.ts';
import { valueWithin } from '../../lib/deadline.ts';
import type { QuotaTokens } from '../../domain/quota.ts';
import type { LimitTransport } from '../../domain/shared-limit.ts';
import type { AssertionUse, UseElsewhere } from '../../domain/used-assertion.ts';
import { answersOfPrimary } from './answers.ts';
import { limitsOfPrimary } from './limits.ts';
import type { ToPrimary, ToWorker, WorkerPart } from './messages.ts';

/** A worker's side of the channel to the primary process. */
export interface Link {
  /** Sends `hello`. Resolves to the number and port of this worker. */
  start(): Promise<WorkerPart>;
  ready(): void;
  /** Resolves when this worker must stop: the primary process says so or is gone, or a signal arrives. */
  stopRequest: Promise<{ drain: boolean; replaced: boolean }>;
  limits: LimitTransport;
  useAssertion: UseElsewhere;
  /** The metrics of all workers; `own` are those of this worker. */
  allMetrics(own: Metrics): Metrics;
  close(): void;
}

/** Longer than the primary process waits for its workers (metrics.ts). */
const METRICS_MS = 3000;

/** How often a starting worker reports: much more often than the primary process expects (place.ts). */
const STARTING_MS = 10_000;

/** The exit code if the primary process is gone: the same as after SIGTERM. */
const EXIT_GONE = 143;

export function linkToPrimary(): Link {
  const started = Promise.withResolvers<WorkerPart>();
  const stopRequest = Promise.withResolvers<{ drain: boolean; replaced: boolean }>();
  const limits = limitsOfPrimary((batch) => send({ kind: 'count', ...batch }));
  const pendingRequests = new Map<number, (text: string) => void>();
  const assertions = answersOfPrimary<AssertionUse>();
  const tokens = answersOfPrimary<QuotaTokens>();
  let request = 0;
  let own: Metrics | undefined;
  let isStarting = true;
  const beat = setInterval(() => send({ kind: 'starting' }), STARTING_MS);

  /** Drops a message if the channel is closed: no process needs it then. */
  function send(message: ToPrimary): void {
    if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
  }

  function receive(message: ToWorker): void {
    switch (message.kind) {
      case 'start':
        return started.resolve(message);
      case 'stop':
        return stopRequest.resolve(message);
      case 'counted':
        return limits.counted(message.batch, message.counts);
      case 'assertion used':
        return assertions.answered(message.request, message.use);
      case 'token counted':
        return tokens.answered(message.request, message.tokens);
      case 'tell metrics':
        void own?.text().then((text) => send({ kind: 'metrics', request: message.request, text }));
        return undefined;
      case 'all metrics':
        return pendingRequests.get(message.request)?.(message.text);
    }
  }

  process.on('message', receive);
  process.on('disconnect', () => {
    // A starting worker waits for answers that will not come, and has no request in flight.
    if (isStarting) process.exit(EXIT_GONE);
    limits.close();
    stopRequest.resolve({ drain: false, replaced: false });
  });
  process.on('SIGTERM', () => stopRequest.resolve({ drain: true, replaced: false }));
  process.on('SIGINT', () => undefined); // Ctrl-C reaches all processes; the primary process stops this one
  process.on('SIGHUP', () => undefined);

  async function askPrimary(): Promise<string | null> {
    request += 1;
    const asking = request;
    const answer = new Promise<string>((resolve) => pendingRequests.set(asking, resolve));
    send({ kind: 'ask for metrics', request: asking });
    const text = await valueWithin(answer, METRICS_MS, null);
    pendingRequests.delete(asking);
    return text;
  }

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
    stopRequest: stopRequest.promise,
    limits: {
      ...limits,
      countToken: async (call) =>
        await tokens.ask((question) => send({ kind: 'count token', request: question, call })),
    },
    useAssertion: async (key, untilMs) =>
      await assertions.ask((question) => send({ kind: 'use assertion', request: question, key, untilMs })),
    allMetrics(ownMetrics) {
      own = ownMetrics;
      return {
        contentType: ownMetrics.contentType,
        text: async () => (await askPrimary()) ?? ownMetrics.text(),
      };
    },
    close() {
      hasStarted();
      if (process.connected) process.disconnect?.(); // false once the primary process is gone
    },
  };
}
