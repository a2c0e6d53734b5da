import { request as requestByHttp, type IncomingMessage } from 'node:http';
import { request as requestByHttps } from 'node:https';
import { connect as connectByTcp } from 'node:net';
import { connect as connectByTls } from 'node:tls';
import { ANSWER_BYTES_MAX, ANSWER_TIMEOUT_MS } from './bounds.ts';

export interface HttpRequest {
  method: string;
  url: string;
  headers?: Record<string, string>;
  body?: string;
  /** Sends the body with `Transfer-Encoding: chunked`. */
  isChunked?: boolean;
  /** Default: ANSWER_TIMEOUT_MS. */
  timeoutMs?: number;
}

export interface HttpAnswer {
  status: number;
  /** In the order and with the repetitions of the answer. */
  headers: readonly (readonly [name: string, value: string])[];
  body: string;
}

/** Sends one request on its own connection; follows no redirect. Rejects without a whole answer in time. */
export function exchange(request: HttpRequest): Promise<HttpAnswer> {
  const { method, url, headers, body = '', isChunked, timeoutMs = ANSWER_TIMEOUT_MS } = request;
  const send = url.startsWith('https:') ? requestByHttps : requestByHttp;
  const length =
    isChunked === true || method === 'GET' || method === 'HEAD'
      ? {}
      : { 'Content-Length': String(Buffer.byteLength(body)) };
  return new Promise((resolve, reject) => {
    const sent = send(url, {
      method,
      headers: { ...headers, ...length },
      agent: false,
      signal: AbortSignal.timeout(timeoutMs),
    });
    sent.on('error', reject);
    sent.on('response', (response) => {
      readBody(response).then((text) => resolve(answerOf(response, text)), reject);
    });
    // A server that reads the headers first answers with 100; one that does not gets the body anyway.
    if (headers?.['Expect'] === undefined) sent.end(body);
    else {
      sent.flushHeaders();
      sent.on('continue', () => sent.end(body));
    }
  });
}

async function readBody(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES_MAX) throw new Error(`The answer has more than ${ANSWER_BYTES_MAX} bytes.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function answerOf(response: IncomingMessage, body: string): HttpAnswer {
  const { rawHeaders } = response;
  const headers = rawHeaders.flatMap((name, i) =>
    i % 2 === 0 ? [[name, rawHeaders[i + 1] ?? ''] as const] : [],
  );
  return { status: response.statusCode ?? 0, headers, body };
}

/** Sends these bytes, and resolves to everything that the server sends until it closes the connection. */
export function rawExchange(url: string, bytes: string): Promise<string> {
  const { protocol, hostname, port } = new URL(url);
  const isTls = protocol === 'https:';
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  const address = { host, port: port === '' ? (isTls ? 443 : 80) : Number(port) };
  return new Promise((resolve, reject) => {
    const socket = isTls ? connectByTls({ ...address, servername: host }) : connectByTcp(address);
    let received = '';
    socket.setEncoding('latin1').setTimeout(ANSWER_TIMEOUT_MS, () => socket.destroy());
    socket.on('data', (text: string) => {
      if (received.length < ANSWER_BYTES_MAX) received += text;
    });
    socket.on('error', reject).on('close', () => resolve(received));
    socket.write(bytes);
  });
}

/** All values of this header, joined as RFC 9110 §5.3 joins them; null without one. */
export function headerOf({ headers }: HttpAnswer, name: string): string | null {
  const values = headers.filter(([each]) => each.toLowerCase() === name).map(([, value]) => value);
  return values.length === 0 ? null : values.join(', ');
}

/** The media type without parameters, in lower case; empty without one. */
export function mediaTypeOf(answer: HttpAnswer): string {
  return (headerOf(answer, 'content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

/** The members of a JSON object; null if the body is anything else. */
export function jsonOf({ body }: Pick<HttpAnswer, 'body'>): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}
