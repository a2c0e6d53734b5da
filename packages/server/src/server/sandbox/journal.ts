import type { IncomingMessage } from 'node:http';
import { SECRET_PATTERN } from '../../domain/secret.ts';
import { parseForm } from '../../http/form.ts';
import { isDenial } from '../../domain/denial.ts';
import { urlHoldsSecret } from '../../http/url-secrets.ts';

/** The parts of the server that a request may be for. */
export const ENDPOINT_NAMES = [
  'token',
  'introspection',
  'revocation',
  'metadata',
  'keys',
  'revocation list',
  'admin',
  'other',
] as const;
export type Endpoint = (typeof ENDPOINT_NAMES)[number];

/** A request as the server received it. Secrets, assertions and tokens are replaced by `…`. */
export interface SandboxRequest {
  /** Milliseconds since 1970 (UTC), by the clock of the sandbox. */
  at: number;
  endpoint: Endpoint;
  method: string;
  /** Path and query. */
  url: string;
  headers: Readonly<Record<string, string>>;
  /** The parameters of a form; null for another body. */
  form: Readonly<Record<string, string>> | null;
  /** From the form or HTTP Basic; null if the request names none. */
  clientId: string | null;
  /** Null until the server has answered, and if the connection ended first. */
  status: number | null;
  /** The fault that the sandbox applied; null: none. */
  fault: string | null;
}

/** The requests that a sandbox received. Forgets the oldest beyond its bounds. */
export interface Journal {
  requests: readonly SandboxRequest[];
  add(request: IncomingMessage, at: number): SandboxRequest;
  /** The number of requests that were forgotten or cleared: the position of `requests[0]`. */
  forgotten(): number;
  clear(): void;
}

interface JournalBounds {
  /** The journal forgets the oldest requests beyond this number. */
  requestsMax: number;
  /** The same beyond this many characters of URLs, headers and forms. */
  charactersMax: number;
}

const BOUNDS: JournalBounds = { requestsMax: 10_000, charactersMax: 50_000_000 };
/** The journal reads this much of a body. The server accepts less at the endpoints for API users. */
const BODY_BYTES_MAX = 16_384;
const HIDDEN = '…';
const SECRET_PARAMETERS = new Set(['client_secret', 'client_assertion', 'assertion', 'password', 'token']);
const SECRET_HEADERS = new Set(['authorization', 'proxy-authorization', 'cookie', 'x-api-key']);

const ENDPOINTS: readonly [RegExp, Endpoint][] = [
  [/\/oauth2\/token$/, 'token'],
  [/\/oauth2\/introspect$/, 'introspection'],
  [/\/oauth2\/revoke$/, 'revocation'],
  [/\/\.well-known\/jwks\.json$|\/jwks$/, 'keys'],
  [/revocations/, 'revocation list'],
  [/\/\.well-known\//, 'metadata'],
  [/\/admin\//, 'admin'],
];

export function endpointOf(url: string): Endpoint {
  const [path = ''] = url.split('?', 1);
  return ENDPOINTS.find(([pattern]) => pattern.test(path))?.[1] ?? 'other';
}

export function createJournal({ requestsMax, charactersMax }: JournalBounds = BOUNDS): Journal {
  const requests: SandboxRequest[] = [];
  const sizes = new WeakMap<SandboxRequest, number>();
  let characters = 0;
  let forgotten = 0;

  function forget(count: number): void {
    for (const entry of requests.splice(0, count)) characters -= sizes.get(entry) ?? 0;
    forgotten += count;
  }

  return {
    requests,
    add(request, at) {
      const entry = journalEntry(request, at);
      // The form arrives later: its longest length counts from the start.
      const size = (request.url ?? '').length + request.rawHeaders.join('').length + formBytes(request);
      sizes.set(entry, size);
      characters += size;
      requests.push(entry);
      while (requests.length > requestsMax || characters > charactersMax) forget(1);
      return entry;
    },
    forgotten: () => forgotten,
    clear: () => forget(requests.length),
  };
}

/** A chunked body does not declare its length. */
function formBytes({ headers }: IncomingMessage): number {
  if (headers['transfer-encoding'] !== undefined) return BODY_BYTES_MAX;
  return Math.min(Number(headers['content-length'] ?? 0) || 0, BODY_BYTES_MAX);
}

/** Begins the journal entry of a request, and completes it as the body arrives. */
function journalEntry(request: IncomingMessage, at: number): SandboxRequest {
  const { method = '', url = '' } = request;
  const entry: SandboxRequest = {
    at,
    endpoint: endpointOf(url),
    method,
    url: urlHoldsSecret(url) ? `${url.split('?', 1)[0]}?${HIDDEN}` : url,
    headers: shownHeaders(request),
    form: null,
    clientId: basicClientId(request.headers.authorization ?? ''),
    status: null,
    fault: null,
  };
  if (/^application\/x-www-form-urlencoded/i.test(request.headers['content-type'] ?? ''))
    onBody(request, (body) => readForm(entry, body));
  return entry;
}

function readForm(entry: SandboxRequest, body: Buffer): void {
  const form = parseForm(body);
  if (isDenial(form)) return;
  entry.form = Object.fromEntries(
    Array.from(form, ([name, value]) => [name, SECRET_PARAMETERS.has(name) ? hidden(value) : shown(value)]),
  );
  entry.clientId ??= form.get('client_id') ?? null;
}

/** The key id of a generated secret is public: it tells which credential the client used. */
function hidden(value: string): string {
  const [, keyId] = SECRET_PATTERN.exec(value) ?? [];
  return keyId === undefined ? HIDDEN : `mms_${keyId}_${HIDDEN}`;
}

/** Masks a secret that a client sent under another name. */
function shown(value: string): string {
  return value.replaceAll(/(mms_[0-9A-Za-z]{10}_)\w+/g, `$1${HIDDEN}`);
}

function shownHeaders({ headers }: IncomingMessage): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => {
      const text = String(value);
      if (!SECRET_HEADERS.has(name)) return [name, shown(text)];
      const [scheme = ''] = /^[a-z]+ /i.exec(text) ?? [];
      return [name, `${scheme}${HIDDEN}`];
    }),
  );
}

function basicClientId(authorization: string): string | null {
  const [, encoded] = /^basic +([\w+/=-]+)$/i.exec(authorization) ?? [];
  if (encoded === undefined) return null;
  const [id = ''] = Buffer.from(encoded, 'base64').toString('utf8').split(':', 1);
  return id === '' ? null : shown(id);
}

/**
 * Calls `read` with the body when its last byte arrives. It does not start to read: Node's parser pushes each
 * chunk into the stream, and this function sees it on the way.
 */
function onBody(request: IncomingMessage, read: (body: Buffer) => void): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const push = request.push.bind(request);
  request.push = (chunk: Buffer | null, encoding?: BufferEncoding) => {
    if (chunk === null) read(Buffer.concat(chunks));
    else {
      bytes += chunk.length;
      if (bytes <= BODY_BYTES_MAX) chunks.push(chunk);
    }
    return push(chunk, encoding);
  };
}
