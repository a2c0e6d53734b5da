import { config } from '../config.ts';
import { signInAgain } from '../state/session.ts';
import { connection } from '../state/connection.ts';
import { offline, problemOf } from './problem.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface Asked {
  body?: unknown;
  /** Text that is sent as it is, in place of `body`. */
  ndjson?: Blob;
  /** The ETag of what the change was made from. */
  ifMatch?: string | null;
  /** The same for each attempt at one creation: see `newIdempotencyKey`. */
  idempotencyKey?: string;
  signal?: AbortSignal;
  /** False: a 401 is the caller's own business, and no reason to ask for a sign-in. */
  signIn?: boolean;
}

export interface Answered<T> {
  data: T;
  etag: string | null;
}

/** A path below the API's base, with a query of what is neither null nor empty. */
export function withQuery(path: string, query: Record<string, string | number | null | undefined>): string {
  const given = Object.entries(query).filter(
    ([, value]) => value !== null && value !== undefined && value !== '',
  );
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return text === '' ? path : `${path}?${text}`;
}

/** The whole address of something in the API, for a download or a stream. */
export function apiUrl(path: string): string {
  return config.api + path;
}

export function newIdempotencyKey(): string {
  return crypto.randomUUID();
}

/**
 * One request. Throws a Problem. Where the session has ended, it waits until the operator has signed in again and is sent
 * once more: what was typed, and a secret that is being shown, stay where they are.
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
