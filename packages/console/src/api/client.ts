import { config } from '../config.ts';
import { signInAgain } from '../state/session.ts';
import { connection } from '../state/connection.ts';
import { offline, problemOf } from './problem.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface Asked {
  body?: unknown;
  /** NDJSON, sent in place of `body`. */
  ndjson?: Blob;
  /** The ETag of the version that the change is based on. */
  ifMatch?: string | null;
  /** The same for every attempt at one creation; see `newIdempotencyKey`. */
  idempotencyKey?: string;
  signal?: AbortSignal;
  /** False: a 401 goes to the caller and opens no sign-in. */
  signIn?: boolean;
}

export interface Answered<T> {
  data: T;
  etag: string | null;
}

/** A path below the API's base, with the non-empty values of `query`. */
export function withQuery(path: string, query: Record<string, string | number | null | undefined>): string {
  const given = Object.entries(query).filter(
    ([, value]) => value !== null && value !== undefined && value !== '',
  );
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return text === '' ? path : `${path}?${text}`;
}

/** The full URL of an API path, for a download or a stream. */
export function apiUrl(path: string): string {
  return config.api + path;
}

export function newIdempotencyKey(): string {
  return crypto.randomUUID();
}

/**
 * Sends one request. Throws a Problem. If the session has ended, waits for a new sign-in and retries: typed
 * text and a secret on display stay on the page.
 */
export async function request<T>(method: Method, path: string, asked: Asked = {}): Promise<Answered<T>> {
  let response = await send(method, path, asked);
  if (response.status === 401 && asked.signIn !== false) {
    const problem = await problemOf(response.clone());
    if (problem.code === 'not_signed_in') {
      await signInAgain();
      response = await send(method, path, asked);
    }
  }
  if (!response.ok) throw await problemOf(response);
  const text = response.status === 204 ? '' : await response.text();
  return {
    data: (text === '' ? undefined : isJson(response) ? JSON.parse(text) : text) as T,
    etag: response.headers.get('etag'),
  };
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await request<T>('GET', path, signal === undefined ? {} : { signal })).data;
}

export async function post<T>(path: string, body: unknown = {}, asked: Asked = {}): Promise<T> {
  return (await request<T>('POST', path, { ...asked, body })).data;
}

async function send(method: Method, path: string, asked: Asked): Promise<Response> {
  const headers = new Headers({ Accept: 'application/json' });
  if (asked.body !== undefined) headers.set('Content-Type', 'application/json');
  if (asked.ndjson !== undefined) headers.set('Content-Type', 'application/x-ndjson');
  if (asked.ifMatch !== undefined && asked.ifMatch !== null) headers.set('If-Match', asked.ifMatch);
  if (asked.idempotencyKey !== undefined) headers.set('Idempotency-Key', asked.idempotencyKey);
  try {
    const response = await fetch(apiUrl(path), {
      method,
      headers,
      body: asked.ndjson ?? (asked.body === undefined ? null : JSON.stringify(asked.body)),
      credentials: 'same-origin',
      cache: 'no-store',
      redirect: 'error',
      signal: asked.signal ?? null,
    });
    connection.set('online');
    return response;
  } catch (error) {
    if (asked.signal?.aborted === true) throw error;
    connection.set('offline');
    throw offline(error);
  }
}

function isJson(response: Response): boolean {
  return /^application\/([a-z.-]+\+)?json\b/i.test(response.headers.get('content-type') ?? '');
}
