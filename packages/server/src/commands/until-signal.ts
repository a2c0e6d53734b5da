import type { Io } from './io.ts';

interface Stoppable {
  stop(options: { drain: boolean }): Promise<void>;
  /** Ends the processes that this one started. */
  kill?(): void;
}

/** One Ctrl-C reaches a process repeatedly: the terminal signals the whole group, and npm forwards it. */
const SAME_SIGNAL_MS = 500;

/** SIGTERM (an orchestrator) drains first, SIGINT (a person) does not. A second signal exits at once. */
export function untilSignal(running: Stoppable, io: Io): Promise<void> {
  return new Promise((resolve, reject) => {
    let firstAt: number | undefined;
    const stop = (signal: NodeJS.Signals) => {
      const now = performance.now();
      firstAt ??= now;
      if (now - firstAt > SAME_SIGNAL_MS) {
        running.kill?.();
        process.exit(signal === 'SIGINT' ? 130 : 143);
      }
      if (now > firstAt) return;
      io.err(`mintmark: ${signal}: stopping.`);
      running.stop({ drain: signal === 'SIGTERM' }).then(resolve, reject);
    };
    process.on('SIGTERM', stop);
    process.on('SIGINT', stop);
  });
}
