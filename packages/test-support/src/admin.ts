import assert from 'node:assert/strict';
import { describedBy } from './described.ts';
import { exchange, type Exchange, type Reply } from './http.ts';
import type { TestServer } from './server.ts';
import type { MadeApiUser } from './store.ts';

export const ADMIN = '/marketing/admin/v1';
export const PORTAL = '/marketing/portal/v1';

/** One caller of the admin API. Checks every reply against the server's OpenAPI document. */
export interface AdminClient {
  token: string;
  get(path: string, headers?: Record<string, string>): Promise<Reply>;
  /** Sends a JSON body; a string is sent unchanged. */
  send(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Reply>;
}

/** A caller with an access token of an API user that `newStore` or the server itself created. */
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
  const described = async (asked: Exchange & { method: string; path: string }): Promise<Reply> => {
    const reply = await exchange(server.port, asked);
    (await describedBy(server.port))(asked.method, asked.path, reply);
    return reply;
  };
  return {
    token,
    get: (path, headers = {}) =>
      described({ method: 'GET', path: ADMIN + path, headers: { ...authorization, ...headers } }),
    send: (method, path, body, headers = {}) =>
      described({
        method,
        path: ADMIN + path,
        headers: {
          ...authorization,
          ...(body !== undefined && {
            'Content-Type': 'application/json',
            'Content-Length': String(Buffer.byteLength(textOf(body))), // node:http omits it for DELETE
          }),
          ...headers,
        },
        ...(body !== undefined && { body: textOf(body) }),
      }),
  };
}

/** Asserts that a reply is a problem with this code and all standard members. */
export function assertProblem(reply: Reply, status: number, code: string): void {
  assert.deepEqual([reply.status, reply.body['code']], [status, code], reply.text);
  assert.match(reply.headers['content-type'] ?? '', /^application\/problem\+json/);
  assert.equal(reply.body['type'], `urn:mintmark:problem:${code}`);
  assert.equal(reply.body['status'], status);
  assert.equal(reply.body['trace_id'], reply.headers['x-request-id']);
  assert.equal(reply.headers['cache-control'], 'no-store');
  assert.equal(reply.headers['x-frame-options'], 'DENY');
}

function textOf(body: unknown): string {
  return typeof body === 'string' ? body : JSON.stringify(body);
}
