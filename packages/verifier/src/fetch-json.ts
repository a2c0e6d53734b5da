import { parseJson } from './text-encoding.ts';
import type { WebSignal } from './web-types.ts';

/** The part of `fetch` that the verifier uses. */
export type Fetch = (url: string, init: FetchInit) => Promise<FetchResponse>;

export interface FetchInit {
  headers: Record<string, string>;
  redirect: 'manual';
  signal: WebSignal;
}

export interface FetchResponse {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  readonly body: AsyncIterable<Uint8Array> | null;
}

export interface FetchLimits {
  fetch: Fetch;
  timeoutMs: number;
}

export interface JsonAnswer {
  status: number;
  headers: { get(name: string): string | null };
  /** Undefined unless the status is 200. */
  body: unknown;
}

export interface BytesAnswer extends JsonAnswer {
  body: Uint8Array | undefined;
}

const RESPONSE_BYTES_MAX = 262_144;

/** GETs JSON, with limits of time and size. */
export async function fetchJson(
  url: string,
  headers: Record<string, string>,
  limits: FetchLimits,
): Promise<JsonAnswer> {
  const accepting = { accept: 'application/json', ...headers };
  const answer = await fetchBytes(url, accepting, limits, RESPONSE_BYTES_MAX);
  const body: unknown = answer.body && parseJson(answer.body, `GET ${url}: the answer`);
  return { ...answer, body };
}

/** GETs bytes, with limits of time and size. Redirects are not followed. */
export async function fetchBytes(
  url: string,
  headers: Record<string, string>,
  { fetch, timeoutMs }: FetchLimits,
  bytesMax: number,
): Promise<BytesAnswer> {
  // In Node, the timer of AbortSignal.timeout does not keep a process alive.
  const signal = AbortSignal.timeout(timeoutMs);
  return await withinTime(signal, `GET ${url} took longer than ${timeoutMs} ms.`, async () => {
    const response = await fetch(url, { headers, redirect: 'manual', signal });
    const bytes = await limitedBody(response, url, bytesMax);
    const body = response.status === 200 ? bytes : undefined;
    return { status: response.status, headers: response.headers, body };
  });
}

/** Ends in time even if a custom `fetch` ignores the signal. */
async function withinTime<T>(signal: AbortSignal, message: string, work: () => Promise<T>): Promise<T> {
  let onAbort: (() => void) | undefined;
  const tooLate = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(new Error(message));
    signal.addEventListener('abort', onAbort);
  });
  try {
    return await Promise.race([work(), tooLate]);
  } finally {
    if (onAbort !== undefined) signal.removeEventListener('abort', onAbort);
  }
}

async function limitedBody(response: FetchResponse, url: string, bytesMax: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > bytesMax) {
      throw new Error(`GET ${url} answered with more than ${bytesMax} bytes.`);
    }
    chunks.push(chunk);
  }
  const whole = new Uint8Array(bytes);
  let end = 0;
  for (const chunk of chunks) {
    whole.set(chunk, end);
    end += chunk.byteLength;
  }
  return whole;
}
