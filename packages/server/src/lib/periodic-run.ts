import { shareRun } from './single-flight.ts';

/** Work that runs from time to time, and once more at the stop. */
export interface PeriodicRun {
  /** Runs now; callers during a run share it. */
  run(): Promise<void>;
  start(): void;
  /** Ends with a run that began after the call. */
  stop(): Promise<void>;
}

/** `work` keeps what it could not do for its next run, and does not throw. */
export function createPeriodicRun(work: () => Promise<void>, everyMs: number): PeriodicRun {
  const run = shareRun(work);
  let timer: NodeJS.Timeout | undefined;
  return {
    run,
    start() {
      timer = setInterval(() => void run(), everyMs);
    },
    async stop() {
      clearInterval(timer);
      await run(); // a run under way lacks what came after its start
      await run();
    },
  };
}
