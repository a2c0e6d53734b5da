import { createWriteStream, type WriteStream } from 'node:fs';
import pino, { type Logger } from 'pino';
import { logText, type LogFormat } from './log-text.ts';

/** Log lines that wait to be written, in bytes: beyond that new ones are dropped, because the server comes first. */
const WAITING_BYTES_MAX = 1_048_576;
/** After a write that failed, lines are dropped for so long before the next is tried. */
const PAUSE_MS = 1000;
const STDERR = 2;

export interface LogSettings {
  logLevel: string;
  logFormat: LogFormat;
}

export interface ServerLog {
  log: Logger;
  /** Writes what waits, as far as it can be written. */
  close(): Promise<void>;
}

/**
 * Lines on standard error, structured or for people, written off the main thread. Where they cannot be written (a full disk, a reader
 * that is gone or too slow) they are lost, and nothing else is: pino's own destination ends or hangs the process then.
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
