import assert from 'node:assert/strict';
import { exchange, type Reply } from './http.ts';
import type { TestServer } from './server.ts';
import type { MadeApiUser } from './store.ts';

export const ADMIN = '/marketing/admin/v1';

/** One caller of the admin API. */
export interface AdminClient {
  token: string;
  get(path: string, headers?: Record<string, string>): Promise<Reply>;
  /** With a JSON body, unless it is a text, which is sent as it is. */
  send(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Reply>;
}

/** A caller with an access token of this API user; the server was started by `newStore`, or made it itself. */
export async function adminClient(
  server: TestServer,
  { client_id, client_secret }: Pick<MadeApiUser, 'client_id' | 'client_secret'>,
): Promise<AdminClient> {
  const { body, text } = await server.post({ client_id, client_secret });
  const token = body['access_token'];
  assert.ok(typeof token === 'string', text);
  return clientWith(server, token);
}

export function clientWith(server: TestServer, token: string): AdminClient {
  const authorization = { Authorization: `Bearer ${token}` };
  return {
    token,
    get: (path, headers = {}) =>
      exchange(server.port, { method: 'GET', path: ADMIN + path, headers: { ...authorization, ...headers } }),
    send: (method, path, body, headers = {}) => {
      const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
      return exchange(server.port, {
        method,
        path: ADMIN + path,
        headers: {
          ...authorization,
          ...(text !== undefined && {
            'Content-Type': 'application/json',
            'Content-Length': String(Buffer.byteLength(text)), // node:http sends none for DELETE
          }),
          ...headers,
        },
        ...(text !== undefined && { body: text }),
      });
    },
  };
}

/** Asserts that a reply is a problem of this code, with everything that problems have. */
export function assertProblem(reply: Reply, status: number, code: string): void {
  assert.deepEqual([reply.status, reply.body['code']], [status, code], reply.text);
  assert.match(reply.headers['content-type'] ?? '', /^application\/problem\+json/);
  assert.equal(reply.body['type'], `urn:mintmark:problem:${code}`);
  assert.equal(reply.body['status'], status);
  assert.equal(reply.body['trace_id'], reply.headers['x-request-id']);
  assert.equal(reply.headers['cache-control'], 'no-store');
  assert.equal(reply.headers['x-frame-options'], 'DENY');
}
