import type { IncomingMessage } from 'node:http';

/** Bytes beyond the limit that the server reads and discards, so that the client can read the answer. */
const DISCARDED_BYTES_MAX = 1_048_576;

/**
 * Calls `done` with the whole body, or with `too large` if it is longer than `bytesMax`. Does not call it if
 * the client closes the connection. It takes a callback, because a promise would cost a turn of the microtask
 * queue per token.
 */
export function readBody(
  request: IncomingMessage,
  bytesMax: number,
  onBody: (body: Buffer | 'too large') => void,
): void {
  const chunks: Buffer[] = [];
  let length = 0;
  let cut = false;
  request.on('data', (chunk: Buffer) => {
    length += chunk.length;
    if (length <= bytesMax) chunks.push(chunk);
    else chunks.length = 0;
    if (length > bytesMax + DISCARDED_BYTES_MAX && !cut) {
      cut = true;
      request.pause();
      onBody('too large');
    }
  });
  request.on('end', () => {
    if (cut) return;
    if (length > bytesMax) onBody('too large');
    else onBody(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks));
  });
}
