import { shown } from './escape.ts';
import type { FetchFunction } from './settings.ts';

/** A token response has about one kilobyte; longer bodies than this are dropped. */
const BODY_MAX_BYTES = 65_536;
const utf8 = new TextDecoder();

/** `x-request-id`, which the server's support asks for. */
export function requestIdOf({ headers }: Pick<Response, 'headers'>): string | undefined {
  return shown(headers.get('x-request-id') ?? '') || undefined;
}

/** Sends one request and reads the body. */
export async function exchange(
  fetch: FetchFunction,
  url: string,
  init: RequestInit,
): Promise<readonly [response: Response, body: string]> {
  const response = await fetch(url, init);
  const reader = response.body?.getReader();
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  for (let size = 0; size <= BODY_MAX_BYTES;) {
    const value = (await reader?.read())?.value;
    if (!value) {
      // Nearly all responses come in one chunk.
      return [response, utf8.decode(chunks[1] ? await new Blob(chunks).arrayBuffer() : chunks[0])];
    }
    chunks.push(value);
    size += value.length;
  }
  // The rest of the body may never end, and an error of the cancelling does not matter.
  reader?.cancel().catch(() => {});
  return [response, ''];
}
