import { ADMIN_SETTINGS, type AdminConfig } from './settings/admin.ts';
import { parseDatabaseUrl, type Database } from './database-url.ts';
import { resourceProblem } from '../domain/grant.ts';
import { HTTP_SETTINGS, type HttpConfig } from './settings/http.ts';
import { LOG_FORMATS, type LogFormat } from '../lib/log-text.ts';
import { OPERATOR_SETTINGS, type OperatorConfig } from './settings/operator.ts';
import { SIGNING_ALGORITHMS, type SigningAlgorithm } from '../domain/signing-algorithm.ts';
import { POSTGRES_SETTINGS, type PostgresConfig } from './settings/postgres.ts';
import { PROCESS_SETTINGS, type ProcessConfig } from './settings/processes.ts';
import type { Redacted } from '../lib/redacted.ts';
import { RETENTION_SETTINGS, type RetentionConfig } from './settings/retention.ts';
import { basePathProblem, headerName, issuerProblem, masterKey, networkList } from './setting-values.ts';
import { SHARING_SETTINGS, type SharingConfig } from './settings/redis.ts';
import { flag, oneOf, setting, text, whole, type Setting } from './setting.ts';
import { USAGE_SETTINGS, type UsageConfig } from './settings/usage.ts';

/** Every setting of the program, read once. What each means and may be is in `SETTINGS` below and in --help. */
export interface Config
  extends
    AdminConfig,
    HttpConfig,
    OperatorConfig,
    PostgresConfig,
    ProcessConfig,
    RetentionConfig,
    SharingConfig,
    UsageConfig {
  readonly host: string;
  readonly port: number;
  readonly basePath: string;
  readonly issuer: string;
  readonly audience: string;
  readonly dataDir: string;
  readonly databaseUrl: Database;
  /** Null: it is in the master key file. */
  readonly masterKey: Redacted | null;
  readonly masterKeyFile: string;
  readonly firstApiUser: boolean;
  readonly logLevel: string;
  readonly logFormat: LogFormat;
  readonly tokenLifeSeconds: number;
  readonly signingAlgorithm: SigningAlgorithm;
  readonly keyAnnounceSeconds: number;
  readonly keyRotationSeconds: number;
  readonly jwksMaxAgeSeconds: number;
  readonly clockSkewSeconds: number;
  readonly apiUserLimit: number;
  readonly addressLimit: number;
  readonly failureLimit: number;
  readonly limiterKeysMax: number;
  readonly trustedProxies: readonly string[];
  /** In lower case, as node:http names headers. */
  readonly forwardedHeader: string;
  readonly directoryMax: number;
  readonly unknownMax: number;
  readonly unknownTtlMs: number;
  readonly lookupsMax: number;
  readonly lookupTimeoutMs: number;
  readonly changePollMs: number;
  readonly changeWakeMs: number;
  readonly staleMaxSeconds: number;
  readonly staleDrainSeconds: number;
  readonly refusalsLoggedMax: number;
  readonly revokedTokensMax: number;
  readonly passwordChecksMax: number;
  readonly passwordQueueMax: number;
  readonly storeBusyTimeoutMs: number;
}

type Settings = { readonly [K in keyof Config]: Setting<Config[K]> };

const MINUTE = 60;
const DAY = 24 * 60 * MINUTE;
/** A Map of V8 takes 2^24 entries, and throws at one more. */
const MAP_ENTRIES_MAX = 16_000_000;

/** Ports and seconds, paths and limits: the whole list, in the order of --help. */
export const SETTINGS: Settings = {
  host: text(
    'HOST',
    '<address>',
    '127.0.0.1',
    'Address to listen on. The default is reached from this machine only.',
  ),
  port: whole('PORT', '<port>', 8080, 0, 65_535, 'Port to listen on; 0: any free one.'),
  basePath: text('BASE_PATH', '<path>', '/marketing', 'Path before /oauth2/token.', basePathProblem),
  issuer: text(
    'ISSUER',
    '<url>',
    '',
    'URL by which callers reach the base path: the `iss` of tokens. Default: http://localhost:<port><base path>.',
    issuerProblem,
  ),
  audience: text(
    'AUDIENCE',
    '<uri>',
    '',
    'The `aud` of tokens of API users without an audience of their own. Default: the issuer.',
    resourceProblem,
  ),
  dataDir: text(
    'DATA_DIR',
    '<path>',
    './data',
    'Folder of the embedded store and of the master key file. Made at the first start.',
  ),
  databaseUrl: setting(
    'DATABASE_URL',
    'database-url',
    '<url>',
    '',
    'The store: sqlite:<path>, or postgres://<user>@<host>/<database>. Default: mintmark.db in the data folder.',
    parseDatabaseUrl,
  ),
  masterKey: {
    ...setting<Redacted | null>(
      'MASTER_KEY',
      'master-key',
      '<hex>',
      '',
      '32 bytes as 64 hexadecimal digits, under which signing keys and secrets of second factors are encrypted. Default: the master key file.',
      masterKey,
    ),
    flag: null,
  },
  masterKeyFile: text(
    'MASTER_KEY_FILE',
    '<path>',
    '',
    'File with the master key. Default: master.key in the data folder, made at the first start.',
  ),
  firstApiUser: flag(
    'FIRST_API_USER',
    true,
    'Make an API user when an empty store is started, and print its secret once.',
  ),
  logLevel: oneOf(
    'LOG_LEVEL',
    ['trace', 'debug', 'info', 'warn', 'error', 'silent'],
    'info',
    'Least severe log lines to write.',
  ),
  logFormat: oneOf(
    'LOG_FORMAT',
    LOG_FORMATS,
    'auto',
    'Form of log lines: json for programs, text for people; auto: text where they go to a terminal.',
  ),

  tokenLifeSeconds: whole('TOKEN_LIFE', '<seconds>', 900, 10, DAY, 'How long an access token is good for.'),
  signingAlgorithm: oneOf('SIGNING_ALGORITHM', SIGNING_ALGORITHMS, 'ES256', 'Algorithm of new signing keys.'),
  keyAnnounceSeconds: whole(
    'KEY_ANNOUNCE',
    '<seconds>',
    3600,
    2,
    30 * DAY,
    'A new signing key is published so long before it signs; at least twice the life of the key set.',
  ),
  keyRotationSeconds: whole(
    'KEY_ROTATION',
    '<seconds>',
    90 * DAY,
    0,
    3650 * DAY,
    'A signing key is replaced after this time; 0: only by command.',
  ),
  jwksMaxAgeSeconds: whole(
    'JWKS_MAX_AGE',
    '<seconds>',
    300,
    1,
    DAY,
    'How long verifiers may keep the key set.',
  ),
  clockSkewSeconds: whole(
    'CLOCK_SKEW',
    '<seconds>',
    60,
    0,
    600,
    'By how much the clocks of verifiers may differ.',
  ),

  apiUserLimit: whole(
    'API_USER_LIMIT',
    '<calls/min>',
    250,
    1,
    1e6,
    'Calls a minute and burst of an API user without a limit of its own.',
  ),
  addressLimit: whole(
    'ADDRESS_LIMIT',
    '<calls/min>',
    3000,
    1,
    1e9,
    'Calls a minute and burst of one network address (IPv6: of a /64 network).',
  ),
  failureLimit: whole(
    'FAILURE_LIMIT',
    '<calls/min>',
    20,
    1,
    1e9,
    'Failed attempts a minute for one client id from one network address.',
  ),
  limiterKeysMax: whole(
    'LIMITER_KEYS_MAX',
    '<number>',
    1e6,
    1000,
    MAP_ENTRIES_MAX,
    'Most keys that each limiter remembers for a minute.',
  ),
  trustedProxies: setting(
    'TRUSTED_PROXIES',
    'trusted-proxies',
    '<networks>',
    '',
    'Comma-separated networks of proxies that are believed when they name the address of a caller.',
    networkList,
  ),
  forwardedHeader: setting(
    'FORWARDED_HEADER',
    'forwarded-header',
    '<header>',
    '',
    'Where trusted proxies name the address of a caller: Forwarded (RFC 7239), or any header with addresses. Default: X-Forwarded-For.',
    headerName,
  ),

  directoryMax: whole(
    'DIRECTORY_MAX',
    '<number>',
    1e6,
    100,
    MAP_ENTRIES_MAX,
    'Most API users kept in memory, up to about 400 bytes each.',
  ),
  unknownMax: whole(
    'UNKNOWN_MAX',
    '<number>',
    10_000,
    10,
    1e6,
    'Most unknown client ids remembered as such.',
  ),
  unknownTtlMs: whole(
    'UNKNOWN_TTL',
    '<ms>',
    5000,
    0,
    60_000,
    'How long an unknown client id is remembered as such.',
  ),
  lookupsMax: whole(
    'LOOKUPS_MAX',
    '<number>',
    1000,
    1,
    1e5,
    'Most client ids that are looked up in the store at a time; the excess gets 503.',
  ),
  lookupTimeoutMs: whole(
    'LOOKUP_TIMEOUT',
    '<ms>',
    2000,
    10,
    60_000,
    'After this time a look-up in the store is given up with 503.',
  ),
  changePollMs: whole('CHANGE_POLL', '<ms>', 250, 10, 900, 'How often the store is asked for changes.'),
  changeWakeMs: whole(
    'CHANGE_WAKE',
    '<ms>',
    100,
    5,
    900,
    'How often SQLite is asked whether another process has written, and how often at most PostgreSQL says so.',
  ),
  staleMaxSeconds: whole(
    'STALE_MAX',
    '<seconds>',
    900,
    1,
    DAY,
    'With the store out of reach, tokens are issued to API users in memory for so long.',
  ),
  staleDrainSeconds: whole(
    'STALE_DRAIN',
    '<seconds>',
    0,
    0,
    DAY,
    '/readyz fails this long before MINTMARK_STALE_MAX; 0: 15, or a quarter of MINTMARK_STALE_MAX if that is less.',
  ),
  refusalsLoggedMax: whole(
    'REFUSALS_LOGGED_MAX',
    '<lines/s>',
    50,
    0,
    10_000,
    'Most refusals that are logged one by one; the others are counted.',
  ),
  revokedTokensMax: whole(
    'REVOKED_TOKENS_MAX',
    '<number>',
    200_000,
    0,
    1e6,
    'Most single tokens that API users have on the revocation list (16 bytes each); the excess gets 503.',
  ),
  passwordChecksMax: whole(
    'PASSWORD_CHECKS_MAX',
    '<number>',
    2,
    1,
    64,
    'Most passwords hashed at a time (19 MiB and 9 ms each).',
  ),
  passwordQueueMax: whole(
    'PASSWORD_QUEUE_MAX',
    '<number>',
    16,
    0,
    10_000,
    'Most password checks that wait; the excess gets 503.',
  ),

  ...OPERATOR_SETTINGS,

  ...HTTP_SETTINGS,
  storeBusyTimeoutMs: whole(
    'STORE_BUSY_TIMEOUT',
    '<ms>',
    5000,
    0,
    300_000,
    'How long to wait for another writer of the store.',
  ),
  ...PROCESS_SETTINGS,
  ...RETENTION_SETTINGS,
  ...POSTGRES_SETTINGS,
  ...SHARING_SETTINGS,
  ...ADMIN_SETTINGS,
  ...USAGE_SETTINGS,
};
