import { createWriteStream, type WriteStream } from 'node:fs';
import pino, { type Logger } from 'pino';
import { logText, type LogFormat } from './log-text.ts';

/**
 * Bytes of log lines that may wait to be written. Beyond that the log drops new lines, because requests
 * matter more.
 */
const WAITING_BYTES_MAX = 1_048_576;
/** After a failed write, the log drops lines for this long before it writes again. */
const PAUSE_MS = 1000;
const STDERR = 2;

export interface LogSettings {
  logLevel: string;
  logFormat: LogFormat;
}

export interface ServerLog {
  log: Logger;
  /** Writes the waiting lines, as far as possible. */
  close(): Promise<void>;
}

/**
 * Writes lines to standard error, as JSON or as text for people, off the main thread. If a write is
 * impossible (a full disk, a reader that is gone or too slow), only log lines are lost. In that case pino's
 * own destination would end or hang the process.
 */
export function openLog({ logLevel, logFormat }: LogSettings): ServerLog {
  const isText = logFormat === 'text' || (logFormat === 'auto' && process.stderr.isTTY);
  let stream: WriteStream | null = null;
  let pausedUntil = 0;

  function open(): WriteStream {
    const opened = createWriteStream('', { fd: STDERR, autoClose: false });
    opened.on('error', () => {
      stream = null;
      pausedUntil = Date.now() + PAUSE_MS;
    });
    return opened;
  }

  const destination = {
    write(line: string): void {
      if (Date.now() < pausedUntil) return;
      stream ??= open();
      if (stream.writableLength < WAITING_BYTES_MAX) stream.write(isText ? logText(line) : line);
    },
  };
  return {
    log: pino({ level: logLevel, base: null }, destination),
    close: async () => {
      const last = stream;
      if (last === null) return;
      await new Promise<void>((resolve) => {
        last.once('error', () => resolve());
        last.end(() => resolve());
      });
    },
  };
}
