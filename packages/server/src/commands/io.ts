import { isUtf8 } from 'node:buffer';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { AppError } from '../domain/app-error.ts';

/** The environment and streams of a command: those of the process, or those of a test. */
export interface Io {
  env: Readonly<Record<string, string | undefined>>;
  stdin: NodeJS.ReadableStream & { isTTY?: boolean };
  /** Writes results, which scripts may read. */
  out(text: string): void;
  /** Writes everything else: explanations, errors, prompts. */
  err(text: string): void;
}

export const processIo: Io = {
  env: process.env,
  stdin: process.stdin,
  out: (text) => void process.stdout.write(`${text}\n`),
  err: (text) => void process.stderr.write(`${text}\n`),
};

/**
 * Reads a secret from the first line of standard input: every user of the machine can read arguments. Throws
 * an AppError if the line is not UTF-8 or holds NUL: the token endpoint accepts neither, and U+FFFD would
 * replace any byte.
 */
export async function readLine(io: Io, prompt: string): Promise<string> {
  const line = io.stdin.isTTY === true ? await readHidden(io, prompt) : await firstLine(io.stdin);
  if (line === null || line.includes('\ufffd')) {
    throw new AppError('invalid', 'The line on standard input is not UTF-8: encode it as such.');
  }
  if (line.includes('\0')) throw new AppError('invalid', 'The line on standard input holds NUL: remove it.');
  return line;
}

/** The first line, without a byte order mark, which some editors and shells write. Null: it is not UTF-8. */
async function firstLine(stdin: Io['stdin']): Promise<string | null> {
  let read = Buffer.alloc(0);
  for await (const piece of stdin) {
    read = Buffer.concat([read, Buffer.from(piece)]);
    if (read.includes('\n') || read.length > LINE_BYTES_MAX) break;
  }
  const end = read.indexOf('\n');
  const line = end < 0 ? read : read.subarray(0, end);
  return isUtf8(line)
    ? line
        .toString('utf8')
        .replace(/^\ufeff/, '')
        .replace(/\r$/, '')
    : null;
}

/** Reads a line from a terminal without showing it. */
async function readHidden(io: Io, prompt: string): Promise<string> {
  io.err(prompt);
  const nowhere = new Writable({ write: (_chunk, _encoding, callback) => callback() });
  const terminal = createInterface({ input: io.stdin, output: nowhere, terminal: true });
  try {
    return await terminal.question('');
  } finally {
    terminal.close();
  }
}

const LINE_BYTES_MAX = 10_000;

/** Formats rows as an aligned table with a heading. */
export function table(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = heading.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]?.length ?? 0)));
  return [heading, ...rows]
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

export function json(value: unknown): string {
  return JSON.stringify(value, null, 2);
}

/** Formats a time for people and scripts: ISO 8601 in UTC; `-` for null. */
export function time(ms: number | null): string {
  return ms === null ? '-' : new Date(ms).toISOString();
}

/** Quotes a text, if necessary, so that a shell reads it as one word. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
