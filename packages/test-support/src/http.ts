import { once } from 'node:events';
import { request, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';

export interface Exchange {
  method?: string;
  path?: string;
  headers?: Record<string, string | string[]>;
  body?: string | Buffer;
  /** The caller's address. */
  from?: string;
}

export interface Reply {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
  /** The parsed body; empty without one or for NDJSON. */
  body: Record<string, unknown>;
}

/** Sends one request over node:http, on its own connection, without headers beyond HTTP's own. */
export async function exchange(port: number, asked: Exchange): Promise<Reply> {
  const sent = request({
    host: '127.0.0.1',
    port,
    method: asked.method ?? 'POST',
    path: asked.path ?? TOKEN_PATH,
    headers: asked.headers ?? {},
    agent: false,
    ...(asked.from !== undefined && { localAddress: asked.from }),
  });
  sent.end(asked.body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString('utf8');
  const isLines = response.headers['content-type']?.startsWith('application/x-ndjson') === true;
  const body = text === '' || isLines ? {} : (JSON.parse(text) as Record<string, unknown>);
  return { status: response.statusCode ?? 0, headers: response.headers, text, body };
}

export const TOKEN_PATH = '/marketing/oauth2/token';
export const FORM = 'application/x-www-form-urlencoded';

/** HTTP Basic credentials by RFC 6749 §2.3.1: both parts form-encoded. */
export function basic(clientId: string, clientSecret: string): string {
  return `Basic ${Buffer.from(`${formEncode(clientId)}:${formEncode(clientSecret)}`).toString('base64')}`;
}

export function formEncode(text: string): string {
  return new URLSearchParams({ v: text }).toString().slice(2);
}

/** A bare connection that collects what it receives; an error ends it. */
export interface RawConnection {
  socket: Socket;
  received(): string;
  /** Resolves when the other end closes, to all bytes received. */
  closed: Promise<string>;
}

/** `from`: the caller's address on this machine, 127.0.0.2 and so on. */
export async function rawConnection(port: number, from?: string): Promise<RawConnection> {
  const socket = connect({ port, host: '127.0.0.1', ...(from !== undefined && { localAddress: from }) });
  const chunks: Buffer[] = [];
  const received = () => Buffer.concat(chunks).toString('latin1');
  const closed = new Promise<string>((resolve) => socket.on('close', () => resolve(received())));
  socket.on('error', () => undefined).on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(socket, 'connect');
  return { socket, received, closed };
}

/** Writes bytes to a bare connection; resolves to the response until the other end closes. */
export async function rawExchange(port: number, bytes: string | Buffer): Promise<string> {
  const { socket, closed } = await rawConnection(port);
  socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  return await closed;
}

export interface RawReply {
  status: number;
  headers: Map<string, string>;
  text: string;
}

/** Splits a stream of responses. Throws for a wrong length or an invalid line. */
export function parseReplies(stream: string): RawReply[] {
  const replies: RawReply[] = [];
  let rest = stream;
  while (rest !== '') {
    const end = rest.indexOf('\r\n\r\n');
    const [statusLine = '', ...lines] = rest.slice(0, Math.max(0, end)).split('\r\n');
    const [, status] = /^HTTP\/1\.1 (\d{3}) [A-Za-z ]+$/.exec(statusLine) ?? [];
    if (status === undefined) throw new Error(`no status line: ${JSON.stringify(rest.slice(0, 80))}`);
    const headers = new Map<string, string>();
    for (const line of lines) {
      const [, name, value] = /^([A-Za-z-]+): (.*)$/.exec(line) ?? [];
      if (name === undefined || value === undefined) throw new Error(`no header: ${JSON.stringify(line)}`);
      if (headers.has(name.toLowerCase())) throw new Error(`a header twice: ${line}`);
      headers.set(name.toLowerCase(), value);
    }
    const length = Number(headers.get('content-length') ?? Number.NaN);
    const from = end + 4;
    if (!(from + length <= rest.length)) throw new Error(`a body shorter than its length: ${statusLine}`);
    replies.push({ status: Number(status), headers, text: rest.slice(from, from + length) });
    rest = rest.slice(from + length);
  }
  return replies;
}
