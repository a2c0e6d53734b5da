import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { Secret, TOTP } from 'otpauth';
import { ADMIN, PORTAL } from './admin.ts';
import { exchange, type Reply } from './http.ts';
import { mintmark, type TestServer } from './server.ts';

/** A password for tests: long and unique. */
export const PASSWORD = 'four odd wombats sing';
export const OTHER_PASSWORD = 'plum lanterns drift at noon';

export type RoleName = 'viewer' | 'operator' | 'admin';

/** A browser: keeps cookies and sends this server's origin with each request. */
export interface Browser {
  cookies: Map<string, string>;
  send(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Reply>;
  get(path: string): Promise<Reply>;
  /** Calls the API of the portal. */
  portal(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Reply>;
  /** Signs in; fails if the server refuses. */
  signIn(email: string, password?: string, code?: string): Promise<Reply>;
}

export const SESSION_COOKIE = '__Host-mintmark_session';
export const BROWSER_COOKIE = '__Host-mintmark_browser';

/** `from`: its address on this machine, 127.0.0.2 and so on. */
export function browser(server: TestServer, from?: string): Browser {
  const cookies = new Map<string, string>();
  const sendTo =
    (api: string): Browser['send'] =>
    async (method, path, body, headers = { 'Sec-Fetch-Site': 'same-origin' }) => {
      const cookie = Array.from(cookies, ([name, value]) => `${name}=${value}`).join('; ');
      const text = body === undefined ? undefined : JSON.stringify(body);
      const reply = await exchange(server.port, {
        method,
        path: api + path,
        headers: {
          ...(cookie !== '' && { Cookie: cookie }),
          ...(text !== undefined && {
            'Content-Type': 'application/json',
            'Content-Length': String(Buffer.byteLength(text)), // node:http omits it for DELETE
          }),
          ...headers,
        },
        ...(text !== undefined && { body: text }),
        ...(from !== undefined && { from }),
      });
      for (const line of reply.headers['set-cookie'] ?? []) {
        const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
        if (value === '') cookies.delete(name);
        else {
          cookies.set(name, value);
          server.noteSecret(value);
        }
      }
      return reply;
    };
  const made: Browser = {
    cookies,
    send: sendTo(ADMIN),
    portal: sendTo(PORTAL),
    get: (path) => made.send('GET', path, undefined, {}),
    async signIn(email, password = PASSWORD, code) {
      const reply = await made.send('POST', '/session', {
        email,
        password,
        ...(code !== undefined && { code }),
      });
      assert.equal(reply.status, 200, reply.text);
      return reply;
    },
  };
  return made;
}

/** Creates an operator with a password through the command line. */
export async function makeOperator(
  server: TestServer,
  email: string,
  role: RoleName,
  password: string = PASSWORD,
): Promise<{ id: string; email: string }> {
  server.noteSecret(password);
  const args = ['operator', 'create', '--email', email, '--role', role, '--password-stdin', '--json'];
  const env = { MINTMARK_DATA_DIR: server.dataDir };
  const { code, out, err } = await mintmark(args, { env, stdin: `${password}\n` });
  assert.equal(code, 0, err);
  return JSON.parse(out) as { id: string; email: string };
}

/** The authenticator app's code, `steps` time steps from now. */
export function codeOf(secret: string, steps = 0): string {
  const totp = new TOTP({ secret: Secret.fromBase32(secret) });
  return totp.generate({ timestamp: Date.now() + steps * 30_000 });
}

/** Waits until the present time step has this many seconds left, so that it lasts for the test. */
export async function roomInStep(seconds = 12): Promise<void> {
  const leftMs = 30_000 - (Date.now() % 30_000);
  if (leftMs < seconds * 1000) await sleep(leftMs + 50);
}

/** Turns the second factor on for the signed-in operator. This consumes the previous step's code. */
export async function turnOnSecondFactor(
  server: TestServer,
  signedIn: Browser,
  password: string = PASSWORD,
): Promise<{ secret: string; recoveryCodes: string[] }> {
  await roomInStep();
  const begun = await signedIn.send('POST', '/profile/second-factor', { current_password: password });
  assert.equal(begun.status, 200, begun.text);
  const secret = begun.body['secret'] as string;
  server.noteSecret(secret);
  const done = await signedIn.send('PUT', '/profile/second-factor', { code: codeOf(secret, -1) });
  assert.equal(done.status, 200, done.text);
  const recoveryCodes = done.body['recovery_codes'] as string[];
  for (const code of recoveryCodes) server.noteSecret(code);
  return { secret, recoveryCodes };
}

/** Entries of the audit log, oldest first. */
export async function auditOf(server: TestServer): Promise<AuditJson[]> {
  const lines = await server.cli('audit', 'export');
  return lines
    .trim()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as AuditJson);
}

export interface AuditJson {
  actor: { kind: string; id: string; name: string; address: string | null };
  action: string;
  outcome: string;
  subject: { kind: string; id: string | null };
  related: { kind: string; id: string | null } | null;
  organisation_id: string | null;
  before: Record<string, unknown> | null;
  after: Record<string, unknown> | null;
  reason: string | null;
}
