import type { FetchInput } from './settings.ts';

/** Larger streams are passed through once and not kept for a retry. */
const KEPT_MAX_BYTES = 1_048_576;

export interface SendableBody {
  /** Options for each attempt; the same object if the request can be repeated. */
  readonly init: RequestInit;
  /** False if the body can be read only once. */
  readonly repeatable: boolean;
}

/** Prepares a request for retries, if its body allows them. A Request's body is a stream: reads its start. */
export async function sendableBody(input: FetchInput, init: RequestInit = {}): Promise<SendableBody> {
  const body: unknown = init.body;
  if (body !== undefined && body !== null) return { init, repeatable: !isStream(body) };
  if (!isRequest(input) || input.body === null) return { init, repeatable: true };
  const start = await readStart(input);
  if (start instanceof ReadableStream)
    return { init: { ...init, body: start, duplex: 'half' }, repeatable: false };
  return { init: start.byteLength > 0 ? { ...init, body: start } : init, repeatable: true };
}

export function isRequest(input: FetchInput): input is Request {
  return typeof input === 'object' && 'headers' in input;
}

function isStream(body: unknown): boolean {
  return typeof body === 'object' && body !== null && ('getReader' in body || Symbol.asyncIterator in body);
}

/** Returns the whole body, or a stream of it if it is too large to keep. */
async function readStart(request: Request): Promise<ArrayBuffer | ReadableStream> {
  const reader = request.body?.getReader();
  // Firefox hides the stream of a Request's body.
  if (!reader) return request.arrayBuffer();
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  while (size <= KEPT_MAX_BYTES) {
    const { done, value } = await reader.read();
    if (done) return new Blob(chunks).arrayBuffer();
    chunks.push(value);
    size += value.length;
  }
  return new ReadableStream({
    async pull(controller) {
      const chunk = chunks.shift() ?? (await reader.read()).value;
      if (chunk) controller.enqueue(chunk);
      else controller.close();
    },
    cancel: (reason) => reader.cancel(reason),
  });
}
