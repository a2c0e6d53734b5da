import { STATUS_CODES, type IncomingMessage } from 'node:http';
import { generateSigningKey } from '../../domain/signing-key.ts';
import { ACCESS_TOKEN_TYPE, jwtSigner } from '../../domain/access-token.ts';
import { errorAnswer } from '../../http/error-response.ts';
import { sendAnswer } from '../../http/answer.ts';
import type { ServedResponse } from '../../http/served-response.ts';
import { traceIdOf } from '../../http/trace.ts';
import type { Fault } from './faults.ts';
import { spanMs } from './span.ts';

export interface FaultContext {
  request: IncomingMessage;
  response: ServedResponse;
  /** Resolves after this many milliseconds of the sandbox's clock. */
  wait(ms: number): Promise<void>;
  /** Hands the request to the server. */
  serve(): void;
}

/** Answers the request, or lets the server answer it, with the fault. */
export async function applyFault(fault: Fault, context: FaultContext): Promise<void> {
  const { request, response, wait, serve } = context;
  if (fault.delay !== undefined) await wait(spanMs(fault.delay, 'delay'));
  if (response.destroyed) return;
  if (fault.reset === 'before') return void request.socket.resetAndDestroy();
  const answersItself = fault.status !== undefined || fault.html === true;
  if (fault.reset !== undefined || fault.slow !== undefined || fault.token !== undefined)
    captureAnswer(response, (answer) => void sendWith(fault, answer, context));
  if (!answersItself) return serve();
  await wholeBody(request);
  answerWith(fault, request, response);
}

async function wholeBody(request: IncomingMessage): Promise<void> {
  request.resume();
  if (!request.complete) await new Promise((resolve) => request.once('close', resolve).once('end', resolve));
}

const ERRORS: Readonly<Record<number, string>> = {
  400: 'invalid_request',
  401: 'invalid_client',
  403: 'invalid_client',
  429: 'rate_limit_exceeded',
  503: 'temporarily_unavailable',
};

function answerWith(fault: Fault, request: IncomingMessage, response: ServedResponse): void {
  const { status = 502, html } = fault;
  const seconds = fault.retryAfter ?? (status === 429 || status === 503 ? 1 : undefined);
  const retry = seconds === undefined ? [] : ['Retry-After', String(seconds)];
  if (html === true) {
    const title = `${status} ${STATUS_CODES[status] ?? ''}`.trim();
    const page = `<html><head><title>${title}</title></head><body><h1>${title}</h1></body></html>\n`;
    response.writeHead(status, [
      ...retry,
      'Content-Type',
      'text/html',
      'Content-Length',
      String(page.length),
    ]);
    response.end(page);
    return;
  }
  const error = ERRORS[status] ?? (status < 500 ? 'invalid_request' : 'server_error');
  const traceId = traceIdOf(request.headers['traceparent']);
  sendAnswer(response, errorAnswer(status, error, 'A fault of the sandbox.', traceId, retry), traceId);
}

/** The number of parts of a slow body. */
const SLOW_PARTS = 16;

interface CapturedAnswer {
  status: number;
  /** Names and values, alternating. */
  headers: string[];
  body: Buffer;
}

type Headers = Readonly<Record<string, unknown>> | readonly unknown[];

/** Holds the answer of the server back and passes it to `send`. */
function captureAnswer(response: ServedResponse, send: (answer: CapturedAnswer) => void): void {
  const chunks: Buffer[] = [];
  const answer: CapturedAnswer = { status: 200, headers: [], body: Buffer.alloc(0) };
  const keep = (chunk: unknown, encoding: unknown) => {
    if (typeof chunk === 'string')
      chunks.push(Buffer.from(chunk, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8'));
    else if (chunk instanceof Uint8Array) chunks.push(Buffer.from(chunk));
  };
  const { writeHead, writeLines, write, end } = response;
  response.writeHead = (status: number, ...rest: unknown[]) => {
    answer.status = status;
    const headers = rest.find((part): part is Headers => typeof part === 'object' && part !== null) ?? [];
    answer.headers = (Array.isArray(headers) ? headers : Object.entries(headers).flat()).map(String);
    return response;
  };
  response.writeLines = (status, headers) => void response.writeHead(status, [...headers]);
  response.write = ((chunk: unknown, encoding: unknown) => {
    keep(chunk, encoding);
    return true;
  }) as typeof response.write;
  response.end = ((chunk: unknown, encoding: unknown) => {
    keep(chunk, encoding);
    const set = Object.entries(response.getHeaders()).flatMap(([name, value]) => [name, String(value)]);
    for (const name of response.getHeaderNames()) response.removeHeader(name);
    Object.assign(response, { writeHead, writeLines, write, end });
    send({ ...answer, headers: [...set, ...answer.headers], body: Buffer.concat(chunks) });
    return response;
  }) as typeof response.end;
}

async function sendWith(fault: Fault, answer: CapturedAnswer, context: FaultContext): Promise<void> {
  const { response, wait } = context;
  const body = fault.token === undefined ? answer.body : withToken(answer.body, fault.token);
  const headers = withLength(answer.headers, body.length);
  if (fault.reset !== undefined) return resetIn(fault.reset, { ...answer, headers, body }, response);
  response.writeHead(answer.status, headers);
  if (fault.slow === undefined) return void response.end(body);
  const ms = spanMs(fault.slow, 'slow');
  const part = Math.ceil(body.length / SLOW_PARTS);
  for (let at = 0; at < body.length && !response.destroyed; at += part) {
    await wait(ms);
    response.write(body.subarray(at, at + part));
  }
  response.end();
}

function withLength(headers: readonly string[], length: number): string[] {
  const kept: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    const [name = '', value = ''] = headers.slice(i, i + 2);
    if (!/^(content-length|transfer-encoding)$/i.test(name)) kept.push(name, value);
  }
  return [...kept, 'Content-Length', String(length)];
}

/** Sends the first part of the answer and then resets the connection. */
function resetIn(where: Fault['reset'], answer: CapturedAnswer, { socket }: ServedResponse): void {
  const { status, headers, body } = answer;
  const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`];
  for (let i = 0; i < headers.length; i += 2) lines.push(`${headers[i]}: ${headers[i + 1]}`);
  const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
  const whole = Buffer.concat([head, body]);
  const end = where === 'in the headers' ? head.length / 2 : head.length + body.length / 2;
  socket?.write(whole.subarray(0, Math.floor(end)), () => socket.resetAndDestroy());
}

/** Replaces the token in the answer of the token endpoint. Any other answer stays as it is. */
function withToken(body: Buffer, how: NonNullable<Fault['token']>): Buffer {
  try {
    const answer = JSON.parse(body.toString('utf8')) as { access_token?: string };
    const { access_token: token } = answer;
    if (token === undefined) return body;
    const changed = how === 'half' ? token.slice(0, token.length / 2) : signedByUnknownKey(token);
    return Buffer.from(JSON.stringify({ ...answer, access_token: changed }));
  } catch {
    return body;
  }
}

/** The same claims, signed by a key that the server does not have. */
export function signedByUnknownKey(token: string): string {
  const { kid, privateKey } = generateSigningKey('ES256');
  const claims = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8');
  return jwtSigner('ES256', kid, privateKey, ACCESS_TOKEN_TYPE)(claims);
}
