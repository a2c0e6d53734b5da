import { config } from '../config.ts';
import { site } from '../site.ts';
import { signInAgain } from '../state/session.ts';
import { ANY_CHANGE, tellChange } from '../state/changes.ts';
import { connection } from '../state/connection.ts';
import { offline, problemOf } from './problem.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface RequestOptions {
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
  const entries = Object.entries(query).filter(
    ([, value]) => value !== null && value !== undefined && value !== '',
  );
  const text = new URLSearchParams(entries.map(([name, value]) => [name, String(value)])).toString();
  return text === '' ? path : `${path}?${text}`;
}

/** Paths about the person, which are the same for every site. */
const OF_PERSON = /^\/(session|profile|invitations)\b/;

/** The full URL of an API path, for a download or a stream. */
export function apiUrl(path: string): string {
  return (OF_PERSON.test(path) ? config.api : site.api) + path;
}

export function newIdempotencyKey(): string {
  return crypto.randomUUID();
}

/**
 * Sends one request. Throws a Problem. If the session has ended, waits for a new sign-in and retries: typed
 * text and a secret on display stay on the page.
 */
export async function request<T>(
  method: Method,
  path: string,
  options: RequestOptions = {},
): Promise<Answered<T>> {
  let response = await send(method, path, options);
  if (response.status === 401 && options.signIn !== false) {
    const problem = await problemOf(response.clone());
    if (problem.code === 'not_signed_in') {
      await signInAgain();
      response = await send(method, path, options);
    }
  }
  if (!response.ok) throw await problemOf(response);
  // The console has a stream of changes, the portal has none.
  if (method !== 'GET' && site.kind === 'organisation') tellChange(ANY_CHANGE);
  const text = response.status === 204 ? '' : await response.text();
  return {
    data: (text === '' ? undefined : isJson(response) ? JSON.parse(text) : text) as T,
    etag: response.headers.get('etag'),
  };
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await request<T>('GET', path, signal === undefined ? {} : { signal })).data;
}

export async function post<T>(path: string, body: unknown = {}, options: RequestOptions = {}): Promise<T> {
  return (await request<T>('POST', path, { ...options, body })).data;
}

async function send(method: Method, path: string, options: RequestOptions): Promise<Response> {
  const headers = new Headers({ Accept: 'application/json' });
  if (options.body !== undefined) headers.set('Content-Type', 'application/json');
  if (options.ndjson !== undefined) headers.set('Content-Type', 'application/x-ndjson');
  if (options.ifMatch !== undefined && options.ifMatch !== null) headers.set('If-Match', options.ifMatch);
  if (options.idempotencyKey !== undefined) headers.set('Idempotency-Key', options.idempotencyKey);
  try {
    const response = await fetch(apiUrl(path), {
      method,
      headers,
      body: options.ndjson ?? (options.body === undefined ? null : JSON.stringify(options.body)),
      credentials: 'same-origin',
      cache: 'no-store',
      redirect: 'error',
      signal: options.signal ?? null,
    });
    connection.set('online');
    return response;
  } catch (error) {
    if (options.signal?.aborted === true) throw error;
    connection.set('offline');
    throw offline(error);
  }
}

function isJson(response: Response): boolean {
  return /^application\/([a-z.-]+\+)?json\b/i.test(response.headers.get('content-type') ?? '');
}
