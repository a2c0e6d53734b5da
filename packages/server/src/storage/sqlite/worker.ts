// SQLite runs on this thread: its calls are synchronous and a write waits for the disk, and a caller of the
// token endpoint must never wait for that.
import { parentPort, workerData } from 'node:worker_threads';
import type { FromWorker, SqliteParameter, ToWorker, WorkerData } from './messages.ts';
import { openStatements } from './statements.ts';

const settings = workerData as WorkerData;
const statements = openStatements(settings);

parentPort?.on('message', (message: ToWorker) => {
  if (message === 'close') close();
  else answer(statements.run(message));
});

function answer(message: FromWorker): void {
  parentPort?.postMessage(message);
}

function watchForChanges(): NodeJS.Timeout | undefined {
  if (settings.wakePollMs === 0) return undefined;
  let last: SqliteParameter | undefined;
  return setInterval(() => {
    try {
      const version = statements.dataVersion();
      if (last !== undefined && version !== last) answer('wake');
      last = version;
    } catch {
      // The poll of the change feed has the same fault and reports it.
    }
  }, settings.wakePollMs);
}

const watch = watchForChanges();

function close(): void {
  clearInterval(watch);
  statements.close();
  parentPort?.close();
}

answer('open');
