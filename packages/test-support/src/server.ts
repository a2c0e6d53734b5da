import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { assertNoDigestInAudit } from './audit.ts';
import { freePort } from './free-port.ts';
import { INHERITED } from './inherited.ts';
import { copyMigratedFile } from './migrated-file.ts';
import { databaseContents, dropDatabase, withDatabase } from './store-under-test.ts';

const BINARY = new URL('../../server/bin/mintmark.mjs', import.meta.url).pathname;
const READY_MS = 60_000;
const EXIT_MS = 60_000;

export interface TestServerOptions {
  /** Settings by environment variable. */
  env?: Record<string, string>;
  /** An existing data folder, for a restart on the same store. */
  dataDir?: string;
  port?: number;
  /** Maximum time of the start, for tests that start many servers. */
  readyMs?: number;
  /** Path of a `mintmark` from outside this repository. */
  program?: string | undefined;
}

export interface TestServer {
  /** `http://localhost:…/marketing` */
  url: string;
  port: number;
  dataDir: string;
  process: ChildProcess;
  /** The API user of the first start; empty texts on a restart. */
  clientId: string;
  clientSecret: string;
  /** The process's output, with its logs. */
  output(): string;
  /** Posts a form to the token endpoint. Records secrets and tokens for the search at the end. */
  post(form: Record<string, string> | string, headers?: Record<string, string>): Promise<TokenResponse>;
  /** Runs a command on this server's store; throws unless the exit code is 0. */
  cli(...args: string[]): Promise<string>;
  /** Like `cli`, with --json, parsed. */
  json<T = Record<string, unknown>>(...args: string[]): Promise<T>;
  /** Adds a text that must not appear in logs or store. */
  noteSecret(text: string): void;
  /** Sends SIGTERM; asserts exit code 0 and no secret or token in logs or store. Keeps the data folder. */
  stop(): Promise<void>;
  /** Sends SIGKILL. */
  kill(): Promise<void>;
  /** Stops the server if it still runs, and removes the data folder. */
  [Symbol.asyncDispose](): Promise<void>;
}

export interface TokenResponse {
  status: number;
  headers: Headers;
  body: Record<string, unknown>;
  text: string;
}

/** Starts `mintmark serve` as a process on a free port with a new store. */
export async function startServer(options: TestServerOptions = {}): Promise<TestServer> {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'mintmark-test-'));
  // Another version of the program has other migrations.
  if (options.dataDir === undefined && options.program === undefined) copyMigratedFile(dataDir);
  const port = options.port ?? (await freePort());
  const settings = await withDatabase({
    MINTMARK_DATA_DIR: dataDir,
    MINTMARK_PORT: String(port),
    MINTMARK_DRAIN: '0',
    ...options.env,
  });
  const secrets = new Set<string>();
  const child = spawn(process.execPath, [options.program ?? BINARY, 'serve'], {
    env: { ...INHERITED, ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  let logged = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (logged += text));
  await ready(child, () => printed + logged, options.readyMs ?? READY_MS);

  const url = `http://localhost:${port}/marketing`;
  const [, clientId = ''] = /client_id +(\S+)/.exec(printed) ?? [];
  const [, clientSecret = ''] = /client_secret +(\S+)/.exec(printed) ?? [];
  if (clientSecret !== '') secrets.add(clientSecret);
  const [, firstAdminToken = ''] = /\/console\/welcome#(\S+)/.exec(printed) ?? [];
  if (firstAdminToken !== '') secrets.add(firstAdminToken);

  const server: TestServer = {
    url,
    port,
    dataDir,
    process: child,
    clientId,
    clientSecret,
    output: () => printed + logged,
    noteSecret: (text) => void secrets.add(text),
    async post(form, headers = {}) {
      const body = typeof form === 'string' ? form : new URLSearchParams(form).toString();
      const response = await fetch(`${url}/oauth2/token`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
        body,
      });
      const text = await response.text();
      const parsed = JSON.parse(text) as Record<string, unknown>;
      if (typeof parsed['access_token'] === 'string') secrets.add(parsed['access_token']);
      return { status: response.status, headers: response.headers, body: parsed, text };
    },
    async cli(...args) {
      const { code, out, err } = await mintmark(args, { env: settings });
      assert.equal(code, 0, `mintmark ${args.join(' ')}: exit code ${code}\n${err}`);
      const [, secret] = /\b(mms_[0-9A-Za-z]{10}_[0-9A-Za-z]{49})\b/.exec(out) ?? [];
      if (secret !== undefined) secrets.add(secret);
      const [token] = /\bmm[il]_[0-9A-Za-z]+/.exec(out) ?? [];
      if (token !== undefined) secrets.add(token);
      return out;
    },
    async json<T>(...args: string[]) {
      return JSON.parse(await server.cli(...args, '--json')) as T;
    },
    async stop() {
      if (child.exitCode === null) child.kill('SIGTERM');
      await exited(child);
      assert.equal(
        child.exitCode,
        0,
        `the server ended with ${child.exitCode ?? child.signalCode}:\n${logged}`,
      );
      assertNowhere(secrets, logged, dataDir);
      const database = join(dataDir, 'mintmark.db');
      if (existsSync(database)) assertNoDigestInAudit(database);
    },
    async kill() {
      child.kill('SIGKILL');
      await exited(child);
    },
    async [Symbol.asyncDispose]() {
      try {
        if (child.exitCode === null && child.signalCode === null) await server.stop();
      } finally {
        await dropDatabase(dataDir);
        rmSync(dataDir, { recursive: true, force: true });
      }
    },
  };
  return server;
}

/** Runs a command in this process, as a shell would. */
export async function mintmark(
  args: string[],
  { env = {}, stdin = '' }: { env?: Record<string, string>; stdin?: string | readonly Buffer[] } = {},
): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  // Imported here, because many tests need a server only.
  const { run } = await import('../../server/src/main.ts');
  const code = await run(args, {
    env: await withDatabase(env),
    stdin: Readable.from(typeof stdin === 'string' ? [stdin] : stdin),
    out: (text) => (out += `${text}\n`),
    err: (text) => (err += `${text}\n`),
  });
  return { code, out, err };
}

export { freePort };

/** Searches all logs and every byte of the store. */
export function assertNowhere(secrets: Iterable<string>, logged: string, dataDir: string): void {
  const places: [string, Buffer][] = [['the log', Buffer.from(logged)]];
  for (const file of readdirSync(dataDir)) places.push([file, readFileSync(join(dataDir, file))]);
  const contents = databaseContents(dataDir);
  if (contents !== null) places.push(['the database', contents]);
  for (const secret of secrets) {
    for (const [place, bytes] of places) {
      assert.ok(!bytes.includes(secret), `a secret or token (${secret.slice(0, 8)}…) is in ${place}`);
    }
  }
}

async function ready(child: ChildProcess, output: () => string, withinMs: number): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!output().includes('mintmark is ready')) {
    if (child.exitCode !== null) throw new Error(`mintmark serve ended with ${child.exitCode}:\n${output()}`);
    if (Date.now() > deadline) {
      child.kill('SIGKILL');
      throw new Error(`mintmark serve was not ready in time:\n${output()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function exited(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const timer = setTimeout(() => child.kill('SIGKILL'), EXIT_MS);
  await once(child, 'exit');
  clearTimeout(timer);
}
