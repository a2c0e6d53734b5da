import type { IncomingMessage, Server } from 'node:http';
import { hostname } from 'node:os';
import type { Logger } from 'pino';
import { createChangeFeed, type ChangeFeed } from '../runtime/change-feed.ts';
import type { Config } from '../config/config.ts';
import { createClockWatch, type ClockWatch } from '../runtime/clock-watch.ts';
import { createDirectory, type Directory } from '../runtime/directory/directory.ts';
import { createOrganisations } from '../runtime/directory/organisations.ts';
import { createLoading } from '../runtime/directory/loading.ts';
import { readAccessToken, type AccessTokenReader } from '../domain/read-access-token.ts';
import { SYSTEM_CLOCK, type Clock } from '../lib/clock.ts';
import { pooledRandom } from '../lib/random.ts';
import { TOKEN_PATH } from '../http/paths.ts';
import { addressReader } from '../http/address.ts';
import { createAdmission } from '../http/oauth/admission.ts';
import { createAssertionQueue } from '../http/oauth/assertion-queue.ts';
import type { AdminContext } from '../http/admin/context.ts';
import { createApp } from '../http/app.ts';
import { createConnections, oncePerRequest, type Connections } from '../http/connections.ts';
import { findingAwake } from '../runtime/find-awake.ts';
import type { Health } from '../runtime/health.ts';
import { createKeyring, type Keyring } from '../runtime/signing-keys.ts';
import { createLimits, type Limits } from '../runtime/limits/limits.ts';
import { tellingChanges } from '../runtime/usage/live-events.ts';
import { createMaintenance } from './maintenance.ts';
import type { createOperators, Operators } from './operators.ts';
import type { MasterKey } from '../storage/master-key.ts';
import { createMetrics, type Metrics } from '../runtime/usage/metrics.ts';
import { createPasswordCheck } from '../runtime/password-checks.ts';
import { createPublication } from '../runtime/revocations/signed-list.ts';
import type { TrustedKeySets } from '../domain/key-source.ts';
import type { UsedAssertions, UseElsewhere } from '../domain/used-assertion.ts';
import type { AssertionServices } from '../oauth/proof.ts';
import { createSignatureCheck } from '../runtime/signature-check.ts';
import { createUsedAssertions, type UsedAssertionsOfProcess } from '../runtime/used-assertions.ts';
import type { LimitTransport } from '../domain/shared-limit.ts';
import { createRevocationList } from '../runtime/revocations/revocation-list.ts';
import { createStandbyWatch, type StandbyWatch } from '../runtime/standby-watch.ts';
import { reportCounts } from '../oauth/count-token.ts';
import { createTokenRevoker } from '../oauth/record-revocation.ts';
import { createStatistics, type Statistics } from '../runtime/usage/statistics.ts';
import type { Store } from '../storage/store.ts';
import { createSleepWatch } from '../runtime/sleep-watch.ts';
import { createKeySourceCheck } from '../runtime/trusted-keys/check.ts';
import { createTrustedKeys, type TrustedKeys } from '../runtime/trusted-keys/trusted-keys.ts';
import { createUnreadableAddresses } from '../runtime/unreadable-addresses.ts';
import { VERSION } from '../lib/version.ts';

/** A composed token server that does not listen yet. */
export interface Composed {
  server: Server;
  /** Begins to follow the store and to load API users. Resolves when the server can issue tokens. */
  start(): Promise<void>;
  /**
   * Ends streams of events, and makes `/readyz` fail from now on unless another process takes over
   * (`replaced`).
   */
  announceStop(replaced: boolean): void;
  /** Resolves when the API users are in memory. */
  loaded: Promise<void>;
  /** Writes the usage that waits in memory, and applies all changes of the store. Waits for no timer. */
  settle(): Promise<void>;
  /** Writes pending statistics and stops all timers. Leaves the store open. */
  stop(): Promise<void>;
}

const TOKEN_ID_BYTES = 16;

/** The part of one process if several serve together (workers/worker.ts). */
export interface ProcessPart {
  /** The connection to the shared limits, unless they are in Redis; null: this process counts alone. */
  transport: LimitTransport | null;
  /** Records used assertions for all workers of this machine; null: this process does so itself. */
  useAssertion: UseElsewhere | null;
  /** Whether this process runs maintenance. One process is enough; more would be harmless but wasteful. */
  maintains: boolean;
  /** The `worker` label of its metrics; null: none. */
  worker: string | null;
  clock: Clock;
  /** Returns the metrics for `/metrics` of this process: its own, or those of all processes. */
  allMetrics(own: Metrics): Metrics;
}

/** The part of a process that serves alone. */
export const WHOLE: ProcessPart = {
  transport: null,
  useAssertion: null,
  maintains: true,
  worker: null,
  clock: SYSTEM_CLOCK,
  allMetrics: (own) => own,
};

/** The only function that picks implementations. */
export async function compose(
  store: Store,
  masterKey: MasterKey,
  config: Config,
  log: Logger,
  part: ProcessPart = WHOLE,
): Promise<Composed> {
  const { now } = part.clock;
  const clocks = createClockWatch(store.clock, clockName(part), log, part.clock);
  const keyring = createKeyring(store, masterKey, log, clocks.earlier);
  const organisations = createOrganisations(store, config, log, now);
  const feed = createChangeFeed(
    clocks.watching(store.changes),
    tellingChanges((noun, ids) => statistics.live.changed(noun, ids), {
      ...organisations.changes,
      apiUsersChanged: (clientIds) => apiUsersChanged(clientIds, keySets, directory),
      signingKeysChanged: () => keyring.reload(),
      revocationsChanged: (digests) => revocations.refresh(digests),
      usageRequested: () => void statistics.writeUsage(),
      // Waits for no API users: they may take minutes, and changes must take effect.
      everythingChanged: () => loadOthers().then(loading.beginAnew),
      lacksSome: () => revocations.lacksSome(clocks.earlier()),
      reach: reachOf(log, () => void (directory.status().complete || loading.begin())),
    }),
    config.changePollMs,
    part.clock,
  );
  const revocations = createRevocationList(store.revocations);
  const directory: Directory = createDirectory(store.knownApiUsers, config, feed.staleMs, organisations);
  const loading = createLoading(directory, log);
  const standby = createStandbyWatch(store, log);
  const sleep = createSleepWatch(feed.follow, part.clock);
  const limits = createLimits(config, log, part.transport);
  limits.onShared((shared) => void reportCounts(shared, organisations.withQuota(), now()));
  const statistics = createStatistics(store, config, log, { now, organisations, ...limits.services });
  const { catchingUp } = sleep;
  const reading = { readToken: tokenReader(keyring, config), isRevoked: revocations.includes, catchingUp };
  const usedAssertions = createUsedAssertions(config, part.useAssertion, limits.useInRedis);
  const maintenance = createMaintenance(store, masterKey, config, log);
  const keySets = keySetsOf(store, config, log, part);
  const loadOthers = async () => await keyring.reload().then(revocations.load).then(organisations.load);
  let stopping = false;

  const health = () => healthOf({ stopping, feed, clocks, standby, keyring, directory, limits, config });
  const callers = callersOf(store, config, log, now);
  const stored = withSourceCheck({ store, masterKey, config, log, keySets, now });
  const operators = operatorsOf(stored, limits.share);
  const admin = async (): Promise<AdminContext> => ({
    ...stored,
    addressOf: callers.addressOf,
    ...reading,
    clockIsOff: clocks.isOff,
    followChanges: feed.follow,
    ...(await operators.load()).services,
    ...statistics.admin,
  });
  const measured = { statistics, health, keyring, keySets, feed, limits, callers, usedAssertions, part };
  const server = createApp(
    {
      now,
      issuer: config.issuer,
      tokenSettings: organisations.tokenSettings,
      findApiUser: findingAwake(directory, sleep, clocks.isOff),
      prefetchApiUsers: directory.prefetch,
      checkPassword: createPasswordCheck(config, directory.passwordsExist),
      assertions: assertionsOf(config, usedAssertions, keySets),
      ...limits.services,
      ...callers,
      admission: createAdmission(config.inFlightMax),
      assertionQueue: createAssertionQueue(config),
      signer: keyring.signer,
      newTokenId: pooledRandom(TOKEN_ID_BYTES, 'base64url'),
      ...statistics.services,
      ...reading,
      revoke: createTokenRevoker(store, revocations, config),
      keyring,
      revocations: createPublication(revocations, keyring, feed, clocks, config.issuer),
      health,
      metrics: metricsOf(measured),
      log,
      admin,
    },
    config,
  );

  return {
    server,
    async start() {
      await feed.start(loadOthers);
      await keySets.start();
      for (const each of [sleep, standby]) each.start();
      await limits.start();
      store.onWake(feed.wake);
      statistics.start();
      if (part.maintains) maintenance.start();
      loading.begin();
    },
    announceStop: (replaced) => {
      stopping = !replaced;
      statistics.live.end();
    },
    loaded: loading.loaded,
    settle: () => statistics.writeUsage().then(feed.follow),
    async stop() {
      for (const each of [limits, keySets, sleep, standby, loading]) each.stop();
      await feed.stop();
      await maintenance.stop();
      await Promise.all([operators.stop(), statistics.stop()]);
    },
  };
}

/** The services for operators and members, loaded with the first request of one. */
function operatorsOf(
  stored: Parameters<typeof createOperators>[0],
  share: Limits['share'],
): { load(): Promise<Operators>; stop(): Promise<void> } {
  let loaded: Promise<Operators> | undefined;
  return {
    load: () => (loaded ??= import('./operators.ts').then((module) => module.createOperators(stored, share))),
    stop: async () => await (await loaded)?.stop(),
  };
}

function withSourceCheck<T extends { store: Store; config: Config }>(
  parts: T,
): T & Pick<AdminContext, 'checkKeySource'> {
  return { ...parts, checkKeySource: createKeySourceCheck(parts.store, parts.config) };
}

/** The keys of other issuers and of API users. */
function keySetsOf(
  store: Store,
  config: Config,
  log: Logger,
  { maintains, clock: { now } }: ProcessPart,
): TrustedKeys {
  const named = store.credentials.namedKeySources;
  return createTrustedKeys({ store, config, log, maintains, named, now });
}

function apiUsersChanged(
  clientIds: readonly string[],
  keySets: TrustedKeys,
  directory: Directory,
): Promise<void> {
  keySets.credentialsChanged();
  return directory.refresh(clientIds);
}

/** Logs when the store is out of reach and when it is in reach again; in the second case it calls `back`. */
function reachOf(log: Logger, back: () => void): (error: Error | null) => void {
  return (error) => {
    if (error !== null) return log.error({ error: error.message }, 'the store is out of reach');
    log.info('the store is in reach again');
    back();
  };
}

/** What checks the assertions of API users. */
function assertionsOf(
  { issuer, tokenUrlAudience, parsedKeysMax }: Config,
  used: UsedAssertions,
  keySets: TrustedKeySets,
): AssertionServices {
  const audiences = tokenUrlAudience ? [issuer, issuer + TOKEN_PATH] : [issuer];
  return { audiences, signatures: createSignatureCheck(parsedKeysMax), keySets, used };
}

interface Callers {
  addressOf(request: IncomingMessage): string;
  connections: Connections;
}

function callersOf(store: Store, config: Config, log: Logger, now: () => number): Callers {
  const noteUnreadable = createUnreadableAddresses(store, config.forwardedHeader, log, now);
  const reader = addressReader(config, noteUnreadable);
  const addressOf = config.trustedProxies.length === 0 ? reader : oncePerRequest(reader);
  return { addressOf, connections: createConnections(config, addressOf, log) };
}

function tokenReader({ verifyingKey }: Keyring, config: Config): AccessTokenReader {
  const expected = { ...config, verifyingKey };
  return (token, nowMs, options) => readAccessToken(token, expected, nowMs, options);
}

interface MetricSources {
  statistics: Statistics;
  health: () => Health;
  keyring: Keyring;
  keySets: TrustedKeys;
  feed: ChangeFeed;
  limits: Limits;
  callers: Callers;
  usedAssertions: UsedAssertionsOfProcess;
  part: ProcessPart;
}

function metricsOf({
  statistics,
  health,
  keyring,
  keySets,
  feed,
  limits,
  callers,
  usedAssertions,
  part,
}: MetricSources): Metrics {
  const own = createMetrics({
    statistics,
    health,
    signingKeys: () => keyring.states(part.clock.now()),
    now: part.clock.now,
    keySources: keySets,
    usedAssertions,
    epoch: feed.applied,
    decidedAlone: limits.decidedAlone,
    connections: callers.connections,
    version: VERSION,
    worker: part.worker,
  });
  return part.allMetrics(own);
}

interface HealthSources {
  stopping: boolean;
  feed: ChangeFeed;
  clocks: ClockWatch;
  standby: StandbyWatch;
  keyring: Keyring;
  directory: Directory;
  limits: Limits;
  config: Config;
}

function healthOf(sources: HealthSources): Health {
  const { entries, complete } = sources.directory.status();
  return {
    status: statusOf(sources),
    staleSeconds: Math.round(sources.feed.staleMs() / 100) / 10,
    apiUsers: entries,
    complete,
    limits: sources.limits.health(),
    clock: sources.clocks.state(),
    standby: { waitSeconds: sources.standby.waitSeconds(), hangs: sources.standby.hangs() },
  };
}

function statusOf({ stopping, feed, clocks, keyring, config }: HealthSources): Health['status'] {
  const { staleMaxSeconds, staleDrainSeconds } = config;
  const staleMs = feed.staleMs();
  if (stopping) return 'stopping';
  if (staleMs > staleMaxSeconds * 1000) return 'stale';
  if (clocks.isOff()) return 'clock_off';
  if (!keyring.canSign(clocks.now())) return 'no_signing_key';
  return staleMs > (staleMaxSeconds - staleDrainSeconds) * 1000 ? 'going_stale' : 'ready';
}

/** The name of a clock: processes have one each, but all workers of one command share one. */
function clockName({ worker }: ProcessPart): string {
  return `${hostname()}:${worker === null ? process.pid : process.ppid}`;
}
