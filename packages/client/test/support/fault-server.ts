// An HTTP server on a real socket that answers as it is told: well, badly, slowly, by halves or not at all.
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { text } from 'node:stream/consumers';

export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly form: URLSearchParams;
}

export type Answer = (response: ServerResponse, request: SeenRequest, raw: IncomingMessage) => void;

export interface FaultServer extends AsyncDisposable {
  /** `http://127.0.0.1:port`. */
  readonly origin: string;
  /** Base URL for a Configuration. */
  readonly host: string;
  readonly requests: SeenRequest[];
  /** Answers for the next requests, in order; then the fallback answers. */
  next(...answers: Answer[]): void;
  fallback(answer: Answer): void;
  close(): Promise<void>;
}

export async function startFaultServer(fallback: Answer = token(), port = 0): Promise<FaultServer> {
  const queue: Answer[] = [];
  const requests: SeenRequest[] = [];
  const sockets = new Set<Socket>();
  let usual = fallback;
  const server = createServer((raw, response) => {
    void (async () => {
      const body = await text(raw);
      const { method = '', url = '', headers } = raw;
      const seen = { method, url, headers, body, form: new URLSearchParams(body) };
      requests.push(seen);
      (queue.shift() ?? usual)(response, seen, raw);
    })().catch(() => raw.destroy());
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it listens on TCP
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const close = () =>
    new Promise<void>((resolve) => {
      for (const socket of sockets) socket.destroy();
      server.close(() => resolve());
    });
  return {
    origin,
    host: `${origin}/marketing`,
    requests,
    next: (...answers) => void queue.push(...answers),
    fallback: (answer) => void (usual = answer),
    close,
    [Symbol.asyncDispose]: close,
  };
}

let tokens = 0;

/** A fresh token string that no other answer has; it looks like a JWT, as real ones do. */
export function freshToken(): string {
  return `eyJhbGciOiJFUzI1NiJ9.eyJqdGkiOiJ0ZXN0In0.signature-${++tokens}`;
}

export function token(fields: Record<string, unknown> = {}, headers: Record<string, string> = {}): Answer {
  return (response) =>
    json(
      200,
      { access_token: freshToken(), token_type: 'Bearer', expires_in: 900, ...fields },
      headers,
    )(response);
}

export function json(
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): (response: ServerResponse) => void {
  return (response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify(body));
  };
}

export function problem(status: number, error: string, headers: Record<string, string> = {}): Answer {
  const body = { error, error_description: `What ${error} means.`, trace_id: 'trace-1' };
  return json(status, body, { 'x-request-id': 'request-1', ...headers });
}

export function plain(status: number, body: string, headers: Record<string, string> = {}): Answer {
  return (response) => {
    response.writeHead(status, { 'content-type': 'text/html', ...headers });
    response.end(body);
  };
}

/** A TCP reset before a byte of the answer. */
export const reset: Answer = (_response, _request, raw) => void raw.socket.resetAndDestroy();

/** Headers and half of the body, then the connection closes. */
export const halfBody: Answer = (response, _request, raw) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': '400' });
  response.write(`{"access_token":"${freshToken()}","token_ty`);
  setTimeout(() => raw.socket.destroy(), 20);
};

/** The same in chunks without a length, so that only the missing end tells. */
export const halfChunked: Answer = (response, _request, raw) => {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.write(`{"access_token":"${freshToken()}","token_ty`);
  setTimeout(() => raw.socket.destroy(), 20);
};

/** A byte now and then, without end. */
export const slowBytes: Answer = (response) => {
  response.writeHead(200, { 'content-type': 'application/json' });
  const timer = setInterval(() => response.write(' '), 20);
  response.on('close', () => clearInterval(timer));
};

/** Takes the request and never answers. */
export const silence: Answer = () => {};

/** As fast as it is read, without end; `written()` tells how much went out. */
export function endlessBody(): Answer & { written(): number } {
  let written = 0;
  const chunk = 'x'.repeat(65_536);
  const answer: Answer = (response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    const more = () => {
      while (!response.destroyed && response.write(chunk)) written += chunk.length;
    };
    response.on('drain', more);
    more();
  };
  return Object.assign(answer, { written: () => written });
}
