import type { IncomingMessage } from 'node:http';

/** Read and thrown away beyond the limit, so that the client gets to read why; then the connection is cut. */
const DISCARDED_BYTES_MAX = 1_048_576;

/** The whole body; `too large` where it is longer than `bytesMax`; `aborted` where the client went away. */
export function readBody(
  request: IncomingMessage,
  bytesMax: number,
): Promise<Buffer | 'too large' | 'aborted'> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let length = 0;
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length <= bytesMax) chunks.push(chunk);
      else chunks.length = 0;
      if (length > bytesMax + DISCARDED_BYTES_MAX) {
        request.pause();
        resolve('too large');
      }
    });
    request.on('end', () => {
      if (length > bytesMax) resolve('too large');
      else resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks));
    });
    request.on('close', () => resolve('aborted'));
    request.on('error', () => resolve('aborted'));
  });
}
