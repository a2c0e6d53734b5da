import type { IncomingMessage } from 'node:http';

/** Read and thrown away beyond the limit, so that the client gets to read why; then the connection is cut. */
const DISCARDED_BYTES_MAX = 1_048_576;

export type Body = Buffer | 'too large' | 'aborted';

/**
 * Hands the whole body to `done`, once; `too large` where it is longer than `bytesMax`; `aborted` where the client went
 * away. A callback, because a promise would cost a turn of the microtask queue for every token.
 */
export function readBody(request: IncomingMessage, bytesMax: number, done: (body: Body) => void): void {
  const chunks: Buffer[] = [];
  let length = 0;
  let finished = false;
  const finish = (body: Body) => {
    if (finished) return;
    finished = true;
    done(body);
  };
  request.on('data', (chunk: Buffer) => {
    length += chunk.length;
    if (length <= bytesMax) chunks.push(chunk);
    else chunks.length = 0;
    if (length > bytesMax + DISCARDED_BYTES_MAX) {
      request.pause();
      finish('too large');
    }
  });
  request.on('end', () => {
    if (length > bytesMax) finish('too large');
    else finish(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks));
  });
  request.on('close', () => finish('aborted'));
  request.on('error', () => finish('aborted'));
}
