import type { Logger } from 'pino';
import type { Assertion } from '../../src/domain/assertion.ts';
import type { Caller } from '../../src/domain/caller.ts';
import type { Denial } from '../../src/domain/denial.ts';
import type { LimitTransport } from '../../src/domain/shared-limit.ts';
import { isRefusal } from '../../src/domain/refusal.ts';
import { readAccessToken, type ReadingOptions } from '../../src/domain/read-access-token.ts';
import { pooledRandom } from '../../src/lib/random.ts';
import { createTokenRevoker } from '../../src/oauth/record-revocation.ts';
import { issueToken, type IssuingServices } from '../../src/oauth/issue-token.ts';
import { revokeToken, type RevokingServices } from '../../src/oauth/revoke-token.ts';
import { createChangeFeed, type ChangeFeed, type ChangeHandlers } from '../../src/runtime/change-feed.ts';
import { createClockWatch } from '../../src/runtime/clock-watch.ts';
import { createOrganisations } from '../../src/runtime/directory/organisations.ts';
import { createDirectory, type Directory } from '../../src/runtime/directory/directory.ts';
import { createLoading } from '../../src/runtime/directory/loading.ts';
import { findingAwake } from '../../src/runtime/find-awake.ts';
import { createLimits, type Limits } from '../../src/runtime/limits/limits.ts';
import { createRevocationList, type RevocationList } from '../../src/runtime/revocations/revocation-list.ts';
import { createPublication, type RevocationPublication } from '../../src/runtime/revocations/signed-list.ts';
import { createKeyring, type Keyring } from '../../src/runtime/signing-keys.ts';
import { createSignatureCheck } from '../../src/runtime/signature-check.ts';
import { createSleepWatch } from '../../src/runtime/sleep-watch.ts';
import { createUsedAssertions } from '../../src/runtime/used-assertions.ts';
import { createStatistics, type Statistics } from '../../src/runtime/usage/statistics.ts';
import { createMaintenance, type Maintenance } from '../../src/server/maintenance.ts';
import { createStore, type Store } from '../../src/storage/store.ts';
import { createLink, type Link, type Network } from './network.ts';
import { NO_PLANT, type Plant } from './planted-bugs.ts';
import { simulatedConnections } from './simulated-connections.ts';
import type { SharedCounters } from './shared-counters.ts';
import type { StoreServer } from './store-server.ts';
import type { Member, Template } from './template.ts';
import { createHost, type Host, type Universe } from './universe.ts';

/** What all nodes of a run share. */
export interface Surroundings {
  universe: Universe;
  network: Network;
  server: StoreServer;
  counters: SharedCounters;
  template: Template;
  plant: Plant | null;
  /** Each line that a node logs. */
  log(node: string, message: string, fields: object): void;
}

/** The modules of one serving process, put together as server/compose.ts does. */
interface Parts {
  feed: ChangeFeed;
  directory: Directory;
  keyring: Keyring;
  revocations: RevocationList;
  limits: Limits;
  statistics: Statistics;
  maintenance: Maintenance;
  services: IssuingServices & RevokingServices;
  publication(): RevocationPublication | null;
  catchingUp(nowMs: number): Promise<void> | undefined;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** The simulator replaces both clocks, so each call must find its own. */
const CLOCK = { now: () => Date.now(), steady: () => performance.now() };
/** How long a supervisor waits before it starts a process again that could not start. */
const START_AGAIN_MS = 500;
const CRASH_AT_COMMIT_MS = 300;

/** A serving process on a machine of its own. It may crash, and starts again with nothing in memory. */
export class SimulatedNode {
  readonly host: Host;
  readonly storeLink: Link = createLink();
  readonly limitsLink: Link = createLink();
  readonly #surroundings: Surroundings;
  store: Store | undefined;
  parts: Parts | undefined;
  /** True from the end of a start until a crash. */
  ready = false;
  readyAt: number = Number.POSITIVE_INFINITY;
  /** How often commits had been lost when this life read the store. */
  lossesAtStart = 0;
  crashes = 0;

  constructor(name: string, surroundings: Surroundings) {
    this.host = createHost(name);
    this.#surroundings = surroundings;
  }

  /** Begins a life. Call it as this host. */
  start(): void {
    const { server, network, plant } = this.#surroundings;
    const access = {
      server,
      network,
      host: this.host,
      link: this.storeLink,
      crash: () => this.crash(CRASH_AT_COMMIT_MS),
    };
    const connections = simulatedConnections(access);
    this.store = createStore((plant ?? NO_PLANT).connections(connections));
    this.parts = this.#compose(this.store);
    this.lossesAtStart = server.losses;
    void this.#startParts(this.parts);
  }

  async #startParts(parts: Parts): Promise<void> {
    const { universe } = this.#surroundings;
    try {
      await parts.start();
      this.ready = true;
      this.readyAt = universe.now;
    } catch {
      // The store is out of reach: a supervisor starts the process again.
      universe.schedule(this.host, START_AGAIN_MS, () => this.start());
    }
  }

  /** Loses everything in memory, and runs again after this time. */
  crash(restartAfterMs: number): void {
    this.host.life += 1;
    this.crashes += 1;
    this.ready = false;
    this.readyAt = Number.POSITIVE_INFINITY;
    this.parts = undefined;
    this.store = undefined;
    this.host.asleepUntil = 0;
    this.#surroundings.universe.schedule(this.host, restartAfterMs, () => this.start());
  }

  #compose(store: Store): Parts {
    const { template } = this.#surroundings;
    const { config, masterKey } = template;
    const plant = this.#surroundings.plant ?? NO_PLANT;
    const log = this.#logger();
    const clocks = createClockWatch(store.clock, this.host.name, log, CLOCK);
    const keyring = plant.keyring(createKeyring(store, masterKey, log, clocks.earlier));
    const organisations = createOrganisations(store, config, log, Date.now);
    const handlers: ChangeHandlers = {
      ...organisations.changes,
      apiUsersChanged: (clientIds) => directory.refresh(clientIds),
      signingKeysChanged: () => keyring.reload(),
      revocationsChanged: (digests) => revocations.refresh(digests),
      usageRequested: () => void statistics.writeUsage(),
      everythingChanged: async () => {
        await load();
        loading.beginAnew();
      },
      lacksSome: () => revocations.lacksSome(clocks.earlier()),
      reach: (error) => {
        if (error === null) void (directory.status().complete || loading.begin());
      },
    };
    const watched = plant.changes(clocks.watching(store.changes));
    const feed = plant.feed(createChangeFeed(watched, plant.handlers(handlers), config.changePollMs, CLOCK));
    const revocations = createRevocationList(store.revocations);
    const directory = createDirectory(store.knownApiUsers, config, feed.staleMs, organisations);
    const loading = createLoading(directory, log);
    const sleep = plant.sleep(createSleepWatch(feed.follow, CLOCK));
    const statistics = createStatistics(
      { ...store, recordUsage: plant.recordUsage(store.recordUsage) },
      config,
      log,
      { now: Date.now, organisations, sharedLimits: null },
    );
    const limits = plant.limits(createLimits(config, log, this.#transport()));

    const used = plant.used(createUsedAssertions(config, null, this.#useInRedis(limits)));
    const signatures = createSignatureCheck(config.parsedKeysMax);
    const maintenance = createMaintenance(plant.maintained(store), masterKey, config, log);

    async function load(): Promise<void> {
      await keyring.reload();
      await revocations.load();
      await organisations.load();
    }

    const services = {
      now: Date.now,
      issuer: config.issuer,
      tokenSettings: organisations.tokenSettings,
      findApiUser: findingAwake(directory, sleep, clocks.isOff),
      checkPassword: () => NO_PASSWORDS,
      assertions: { audiences: [config.issuer], signatures, keySets: NO_KEY_SETS, used },
      ...limits.services,
      signer: keyring.signer,
      newTokenId: pooledRandom(16, 'base64url', 64),
      ...statistics.services,
      readToken: (token: string, nowMs: number, options?: ReadingOptions) =>
        readAccessToken(token, { ...config, verifyingKey: keyring.verifyingKey }, nowMs, options),
      isRevoked: revocations.includes,
      revoke: createTokenRevoker(store, revocations, config),
    };
    return {
      feed,
      directory,
      keyring,
      revocations,
      limits,
      statistics,
      maintenance,
      services,
      publication: createPublication(revocations, keyring, feed, clocks, config.issuer),
      catchingUp: sleep.catchingUp,
      async start() {
        await feed.start(load);
        sleep.start();
        await limits.start();
        statistics.start();
        loading.begin();
      },
      async stop() {
        limits.stop();
        sleep.stop();
        loading.stop();
        await feed.stop();
        await statistics.stop();
      },
    };
  }

  #transport(): LimitTransport {
    const { counters } = this.#surroundings;
    return {
      count: (call) => counters.count(this.host, this.limitsLink, call),
      countToken: async () => await Promise.reject(new Error('no organisation has a quota here')),
      close: () => undefined,
    };
  }

  #useInRedis(limits: Limits): Limits['useInRedis'] {
    const { counters, template } = this.#surroundings;
    const deadlineMs = template.config.limitsDeadlineMs;
    return async (key, lifeMs) =>
      limits.health() === 'shared'
        ? await counters.use(this.host, this.limitsLink, { key, lifeMs, deadlineMs })
        : counters.miss(key);
  }

  #logger(): Logger {
    const line = (fields: object | string, message?: string) => {
      const [text, facts] = typeof fields === 'string' ? [fields, {}] : [message ?? '', fields];
      this.#surroundings.log(this.host.name, text, facts);
    };
    return { info: line, warn: line, error: line, debug: line } as unknown as Logger;
  }

  /** Requests a token as this API user does. Undefined: the process is not there. */
  async requestToken(
    member: Member,
    assertion: Assertion | null = null,
  ): Promise<{ token: string } | Denial | undefined> {
    const { parts } = this;
    if (!this.ready || parts === undefined) return undefined;
    const caller = assertion === null ? callerOf(member) : senderOf(member, assertion);
    const issued = await issueToken(parts.services, caller, NO_PARAMETERS, Date.now());
    return isRefusal(issued) ? issued.denial : { token: issued.sign() };
  }

  /** Revokes a token as its API user does. True: the server answered that the token is revoked. */
  async revokeToken(member: Member, token: string): Promise<boolean> {
    const { parts } = this;
    if (!this.ready || parts === undefined) return false;
    return !isRefusal(await revokeToken(parts.services, callerOf(member), token, Date.now()));
  }
}

const NO_PASSWORDS = { denied: 'invalid_client', reason: 'wrong_password' } as never;
/** Each API user has its key in the store. */
const NO_KEY_SETS = {} as IssuingServices['assertions']['keySets'];
const NO_PARAMETERS = { grantType: 'client_credentials', scope: undefined, resource: undefined };

function callerOf({ clientId, secret }: Pick<Member, 'clientId' | 'secret'>): Caller {
  return {
    clientId,
    clientSecret: secret,
    assertion: null,
    address: '192.0.2.1',
    traceId: '0'.repeat(32),
  };
}

/** From an address of its own: refused assertions take from no other budget. */
function senderOf({ clientId }: Member, assertion: Assertion): Caller {
  return { ...callerOf({ clientId, secret: '' }), assertion, address: '198.51.100.1' };
}
