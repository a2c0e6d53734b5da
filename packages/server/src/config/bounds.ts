import { durationText } from '../lib/duration.ts';

/** Bounds that were settings once: `removedSettings` reports those that are still set. */
export const FORMER_SETTINGS = {
  // Requests and connections.
  /** Body of a request, except to the admin API. */
  bodyBytesMax: 8192,
  /** Request line and headers of a request. */
  headerBytesMax: 16_384,
  /** From the first byte of a request to the end of its headers. */
  headersTimeoutMs: 10_000,
  /** From the first byte of a request to its last. */
  requestTimeoutMs: 15_000,
  /** Connections that wait to be accepted. The system may allow fewer (net.core.somaxconn on Linux). */
  backlogMax: 4096,
  /** Body of a request to the admin API, and a line of an import. */
  adminBodyBytesMax: 65_536,
  /** Lines of one import through the admin API. The command line imports any number. */
  adminImportLinesMax: 20_000,
  /** Streams of events at a time. The excess gets 503. */
  liveStreamsMax: 100,

  // Limits.
  /** Keys that each limiter remembers for a minute. */
  limiterKeysMax: 1_000_000,
  /** Attempts a minute to sign in with one e-mail address from one network address or known browser. */
  signInLimit: 10,
  /** Attempts a minute to sign in from one network address, with any e-mail address. */
  signInAddressLimit: 60,
  /** Attempts a minute with one e-mail address from all browsers together that are not known for it. */
  signInAccountLimit: 20,
  /** Refusals that are logged one by one in a second. The others are counted. */
  refusalsLoggedMax: 50,
  /** Password checks that wait. The excess gets 503. */
  passwordQueueMax: 16,
  /** Single tokens that API users have on the revocation list, 16 bytes each. The excess gets 503. */
  revokedTokensMax: 200_000,

  // The directory and the change feed.
  /** Unknown client ids that the directory remembers. */
  unknownMax: 10_000,
  /** How long the directory remembers an unknown client id. */
  unknownTtlMs: 5000,
  /** Client ids that are looked up in the store at a time. The excess gets 503. */
  lookupsMax: 1000,
  /** A look-up in the store that takes longer ends with 503. */
  lookupTimeoutMs: 2000,
  /**
   * Between two checks for writes of other processes in SQLite, and between two notifications of PostgreSQL.
   */
  changeWakeMs: 100,
  /** Changes in the feed. A process that is further behind loads everything again. */
  changesKept: 100_000,
  /** Time for a new connection to PostgreSQL, including the sign-in. */
  postgresConnectTimeoutMs: 2000,
  /** The change feed retries a small read on another connection after this time. */
  postgresFollowTimeoutMs: 250,

  // Usage.
  /** Credentials whose use waits to be written. */
  usageMax: 200_000,
  usageMinutesKeptHours: 3,
  usageHoursKeptDays: 7,
};

/** Bounds that were never settings. */
const OTHER_BOUNDS = {
  // Public keys of other issuers and of API users.
  /** Issuers and URLs of key sets. Beyond this number, a new one gets no keys. */
  keySourcesMax: 1000,
  /** Keys of one source. The excess is left out. */
  keysMax: 32,
  /** Body of a discovery document or a key set. */
  keySetBytesMax: 65_536,
  /** Time to fetch the keys of one source, including discovery. */
  keyFetchTimeoutMs: 5000,
  /** Fetches at a time. The others wait for their turn. */
  keyFetchesMax: 8,
  /** Requests that wait for a fetch. The excess gets 503. */
  keyWaitersMax: 1000,
  /** Those of them that wait for one source: a slow source must not stop the callers of others. */
  keyWaitersOfSourceMax: 250,
  /** Life of keys whose answer names no other (Cache-Control). */
  keyLifeMs: 3_600_000,
  /** Bounds of the life that an answer names. */
  keyLifeMinMs: 300_000,
  keyLifeMaxMs: 86_400_000,
  /** Fetches of one source for unknown key ids: in a minute, and at once. */
  unknownKeyLimit: 6,

  // Assertions.
  /** Assertions that this machine remembers as used, 100 bytes each. The excess gets 503. */
  usedAssertionsMax: 1_000_000,
  /** Keys of API users that a process keeps parsed, 1 kB each. */
  parsedKeysMax: 10_000,
  /** Time for assertions in a turn of the event loop. The others wait: callers with secrets come first. */
  assertionTurnMs: 2,
  /** Assertions that wait for a later turn. The excess gets 503. */
  assertionsWaitingMax: 1000,
};

export type Bounds = Readonly<typeof FORMER_SETTINGS & typeof OTHER_BOUNDS>;

/**
 * Bounds that are not settings, since no deployment needs other values. Tests override `unknownTtlMs` by the
 * environment variable MINTMARK_TEST_UNKNOWN_TTL.
 */
export const BOUNDS: Bounds = { ...FORMER_SETTINGS, ...OTHER_BOUNDS };

type Texts = Readonly<Record<string, string | undefined>>;

/** The bounds of this process: the constants, except in a test. */
export function boundsOf(environment: Texts): Bounds {
  return Object.fromEntries(
    Object.entries(BOUNDS).map(([name, value]) => [
      name,
      Number(environment[`MINTMARK_TEST_${variableOf(name)}`] ?? value),
    ]),
  ) as unknown as Bounds;
}

/** One sentence for each bound that is still set as a setting. */
export function removedSettings(environment: Texts, flags: Texts): string[] {
  return Object.entries(FORMER_SETTINGS).flatMap(([name, value]) => {
    const variable = `MINTMARK_${variableOf(name)}`;
    const source = flags[name] === undefined ? variable : `--${boundFlag(name)}`;
    if ((flags[name] ?? environment[variable] ?? '') === '') return [];
    const unit = /(Hours|Days)$/.exec(name)?.[0].toLowerCase() ?? '';
    const shown = name.endsWith('Ms') ? durationText(value) : `${value} ${unit}`.trimEnd();
    return [`${source}: this is no longer a setting: Mintmark always uses ${shown}. Remove it.`];
  });
}

/** The flag that the bound had as a setting, without the dashes. */
export function boundFlag(name: string): string {
  return variableOf(name).toLowerCase().replaceAll('_', '-');
}

/** `UNKNOWN_TTL` for `unknownTtlMs`: the variable has no unit. */
function variableOf(name: string): string {
  const withoutUnit = name.replace(/(Ms|Hours|Days)$/, '');
  return withoutUnit.replaceAll(/[A-Z]/g, '_$&').toUpperCase();
}
