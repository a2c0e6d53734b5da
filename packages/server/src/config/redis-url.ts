import { AppError } from '../domain/app-error.ts';
import { Redacted } from '../lib/redacted.ts';
import { decoded, serversOf, userOf } from './server-url.ts';
import { redisName, type RedisTarget } from '../storage/redis/target.ts';

/** The Redis that REDIS_URL names. Other settings name the files and the other passwords. */
export type RedisAddress = Omit<RedisTarget, 'tls' | 'sentinelPassword' | 'password'> & {
  password: Redacted | null;
  encrypted: boolean;
};

const ALLOWED =
  'redis://user:password@host:6379, rediss:// for TLS, redis+cluster://host:7000,host:7001 or ' +
  'redis+sentinel://host:26379,host:26379/name-of-the-master';
const PORT = 6379;
const SENTINEL_PORT = 26_379;
const DATABASE_MAX = 65_535;

/**
 * Null: no Redis. An error quotes nothing of the URL: in a URL with a mistake, any part may be the password.
 */
export function parseRedisUrl(url: string): { value: RedisAddress | null } | { allowed: string } {
  if (url === '') return { value: null };
  const match = /^redis(s?)(?:\+(cluster|sentinel))?:\/\/(?:(.*)@)?([^/?#]*)(?:\/([^/?#]*))?$/s.exec(url);
  if (match === null) return { allowed: ALLOWED };
  const [, secure, topology, userPart = '', serverPart = '', path = ''] = match;
  const kind = topology === 'cluster' || topology === 'sentinel' ? topology : 'server';
  try {
    const servers = serversOf(serverPart, kind === 'sentinel' ? SENTINEL_PORT : PORT);
    if (kind === 'server' && servers.length > 1) {
      throw new AppError('bad_setting', 'several servers are a redis+cluster:// or redis+sentinel://');
    }
    const [user, password = ''] = userOf(userPart);
    const value = {
      kind,
      servers,
      masterName: kind === 'sentinel' ? masterNameOf(path) : '',
      user: user === '' ? null : user,
      password: password === '' ? null : new Redacted(password),
      database: kind === 'server' ? databaseOf(path) : 0,
      encrypted: secure === 's',
    } satisfies RedisAddress;
    if (kind === 'cluster' && path !== '')
      throw new AppError('bad_setting', 'a cluster has no numbered databases');
    return { value };
  } catch (error) {
    if (error instanceof AppError) return { allowed: `${error.message}: ${ALLOWED}` };
    throw error;
  }
}

/** The Redis in a form for display, without user and password. */
export function describeRedis({ kind, servers, encrypted, masterName }: RedisAddress): string {
  const topology = kind === 'server' ? '' : `+${kind}`;
  const path = masterName === '' ? '' : `/${masterName}`;
  return `redis${encrypted ? 's' : ''}${topology}://${servers.map(redisName).join(',')}${path}`;
}

export function holdsRedisPassword(url: string): boolean {
  return /^rediss?(\+\w+)?:\/\/[^@/]*:.+@/is.test(url);
}

function databaseOf(path: string): number {
  if (path === '') return 0;
  if (!/^\d{1,5}$/.test(path) || Number(path) > DATABASE_MAX) {
    throw new AppError('bad_setting', 'what follows the server is the number of a database');
  }
  return Number(path);
}

function masterNameOf(path: string): string {
  const name = decoded(path, 'name of the master');
  if (name === '') throw new AppError('bad_setting', 'the name of the master is missing at its end');
  return name;
}
