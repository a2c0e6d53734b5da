import type { IncomingMessage, Server } from 'node:http';
import type { ServedResponse } from '../../http/served-response.ts';
import pino from 'pino';
import type { Config } from '../../config/config.ts';
import { loadConfig, withPort } from '../../config/load-config.ts';
import { SANDBOX_PATH } from '../../config/setting-values.ts';
import { createMaintenance } from '../maintenance.ts';
import { WHOLE } from '../compose.ts';
import { freePort, prepare, serveFrom, type Begun, type Serving } from '../serve.ts';
import { applyFault } from './apply-fault.ts';
import { createFaults, type FaultSource, type RequestFaults } from './faults.ts';
import { createJournal, type Journal, type SandboxRequest } from './journal.ts';
import type { Store } from '../../storage/store.ts';
import { openMemoryStore } from './memory-store.ts';
import { stateFaults, type StateFaults } from './state-faults.ts';
import { createIssuing, type Issuing } from './issuing.ts';
import { createVirtualClock, type SandboxClock, type VirtualClock } from './virtual-clock.ts';
import { randomBytes } from 'node:crypto';

export interface MintmarkOptions {
  /** The time at which the clock starts, in milliseconds since 1970. Default: the present time. */
  startMs?: number;
  /** Settings of the server by environment variable, such as `MINTMARK_TOKEN_LIFE`. */
  settings?: Readonly<Record<string, string>>;
  /** Default: a free one. */
  port?: number;
}

/** A running server in this process, with a store in memory and a clock of its own. */
export interface Mintmark extends Issuing {
  /**
   * `http://127.0.0.1:PORT/mintmark-sandbox/marketing`: the host for the SDK, and the issuer for the
   * verifier, which accepts it only with the option `sandbox: true`.
   */
  baseUrl: string;
  /** One clock for the server, the SDK and the verifier. */
  clock: SandboxClock;
  faults: RequestFaults & StateFaults;
  /** The requests that the server received, the oldest first, without secrets. */
  requests: readonly SandboxRequest[];
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const HOST = '127.0.0.1';
const MASTER_KEY_BYTES = 32;
/** Another process may take the free port before the server listens on it. */
const STARTS_MAX = 5;

/** Starts a server that only this machine reaches. It writes no file, and leaves nothing after `stop`. */
export async function startMintmark(options: MintmarkOptions = {}): Promise<Mintmark> {
  return await startSandbox({ ...options, runs: false });
}

export interface SandboxOptions extends MintmarkOptions {
  /** The clock runs like that of the system. */
  runs: boolean;
  /** The life of tokens, which may be shorter than the setting allows. */
  tokenLifeSeconds?: number;
}

/** A sandbox with what its control API needs. */
export interface Sandbox extends Mintmark {
  config: Config;
  store: Store;
  journal: Journal;
  /** Milliseconds since 1970 (UTC), by the clock of the server. */
  now(): number;
  /** Resolves when the server knows every change. */
  settle(): Promise<void>;
}

export async function startSandbox(options: SandboxOptions): Promise<Sandbox> {
  const loaded = loadConfig(
    { ...options.settings, MINTMARK_MASTER_KEY: randomBytes(MASTER_KEY_BYTES).toString('hex') },
    { host: HOST, port: String(options.port ?? 0), firstApiUser: 'false', logLevel: 'silent' },
  );
  const { tokenLifeSeconds = loaded.tokenLifeSeconds } = options;
  const base = Object.freeze({ ...loaded, tokenLifeSeconds });
  for (let start = 1; ; start++) {
    try {
      return await startOn(withIssuer(base, await freePort(base)), options);
    } catch (error) {
      const { code } = error as { code?: string };
      if (code !== 'conflict' || options.port !== undefined || start === STARTS_MAX) throw error;
    }
  }
}

/** No setting chooses the issuer: verifiers recognise a sandbox by it. */
function withIssuer(base: Config, port: number): Config {
  const config = withPort(base, port);
  const basePath = SANDBOX_PATH + config.basePath;
  const issuer = `http://${HOST}:${port}${basePath}`;
  const audience = config.audience === config.issuer ? issuer : config.audience;
  return Object.freeze({ ...config, basePath, issuer, audience });
}

async function startOn(config: Config, { startMs, runs }: SandboxOptions): Promise<Sandbox> {
  const clock = createVirtualClock(startMs ?? Date.now(), runs);
  const state = { skewMs: 0, awayUntilMs: Number.NEGATIVE_INFINITY };
  const serverNow = () => clock.now() + state.skewMs;
  const log = pino({ level: 'silent' });
  const store = await openMemoryStore(serverNow, () => clock.now() < state.awayUntilMs);
  const begun = await prepare(store, config, log);
  const maintenance = createMaintenance(store, begun.masterKey, config, log);
  const part = { ...WHOLE, maintains: runs, clock: { now: serverNow, steady: clock.steady } };
  const serving = await serveFrom(begun, config, log, part);
  clock.upkeep = async () => {
    await maintenance.run();
    await serving.settle();
  };
  const faults = createFaults(clock.now);
  const journal = createJournal();
  interpose(serving.server, { clock, faults, journal });
  return assemble({ begun, config, serving, clock, faults, journal, state, serverNow });
}

interface Parts {
  begun: Begun;
  config: Config;
  serving: Serving;
  clock: VirtualClock;
  faults: FaultSource;
  journal: Journal;
  state: { skewMs: number; awayUntilMs: number };
  serverNow: () => number;
}

function assemble(parts: Parts): Sandbox {
  const { begun, config, serving, clock, faults, journal, state, serverNow } = parts;
  const settle = serving.settle;
  const source = { ...begun, config, now: serverNow, settle };
  const { next, during, bySeed, clear } = faults;
  const stop = async () => {
    clock.stop();
    serving.server.closeAllConnections();
    await serving.stop(false, false);
  };
  return {
    ...createIssuing(source),
    baseUrl: config.issuer,
    clock,
    faults: { next, during, bySeed, clear, ...stateFaults(source, clock, state) },
    requests: journal.requests,
    config,
    store: begun.store,
    journal,
    now: serverNow,
    settle,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** Puts the journal and the faults before the server. */
function interpose(
  server: Server,
  { clock, faults, journal }: Pick<Parts, 'clock' | 'faults' | 'journal'>,
): void {
  const handlers = server.listeners('request') as ((
    request: IncomingMessage,
    response: ServedResponse,
  ) => void)[];
  let inFlight = 0;
  let waiting = 0;
  clock.busy = () => inFlight - waiting;
  const wait = async (ms: number) => {
    waiting += 1;
    await new Promise<void>((resolve) => void clock.after(ms, resolve));
    waiting -= 1;
  };
  server.removeAllListeners('request');
  server.on('request', (request: IncomingMessage, response: ServedResponse) => {
    const entry = journal.add(request, clock.now());
    inFlight += 1;
    response.once('close', () => {
      inFlight -= 1;
      if (response.writableFinished) entry.status = response.statusCode;
    });
    const serve = () => handlers.forEach((handler) => handler.call(server, request, response));
    const fault = faults.faultOf(entry.endpoint);
    if (fault === null) return serve();
    entry.fault = JSON.stringify(fault);
    void applyFault(fault, { request, response, wait, serve });
  });
}
