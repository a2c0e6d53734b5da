import { connectTo, type PostgresConnection, type PostgresTimeouts } from './connection.ts';
import { nameOf, type PostgresServer, type PostgresTarget } from './target.ts';
import { backoffMs, spreadMs } from '../../lib/backoff.ts';
import { StoreError } from '../store-error.ts';

/**
 * Connects to the server that takes writes. Throws a StoreError; soon after a failure it throws without
 * trying.
 */
export type Connect = (timeouts?: Partial<PostgresTimeouts>) => Promise<PostgresConnection>;

/** The wait after a failure, before the next attempt. */
const WAIT = { firstMs: 50, maxMs: 1000 };

export function connectToPrimary(target: PostgresTarget, timeouts: PostgresTimeouts): Connect {
  let primary: PostgresServer | undefined;
  let failures = 0;
  let again = { atMs: 0, error: undefined as Error | undefined };

  async function attempt(deadlines: PostgresTimeouts): Promise<PostgresConnection> {
    const before = primary;
    if (before !== undefined) {
      try {
        return await connectTo(before, target, deadlines);
      } catch (error) {
        if (target.servers.length === 1) throw error;
        primary = undefined;
      }
    }
    return await firstOf(target.servers, (server) => connectTo(server, target, deadlines));
  }

  return async (overrides) => {
    const startedAt = performance.now();
    if (again.error !== undefined && startedAt < again.atMs) throw again.error;
    try {
      const connection = await attempt({ ...timeouts, ...overrides });
      primary = connection.server;
      failures = 0;
      again = { atMs: 0, error: undefined };
      return connection;
    } catch (error) {
      // Attempts that fail together count as one failure.
      if (performance.now() >= again.atMs) {
        failures += 1;
        const waitMs = spreadMs(backoffMs(failures, WAIT));
        again = { atMs: performance.now() + waitMs, error: error as Error };
      }
      throw error;
    }
  };
}

/** Connects to all servers at once: it may take the whole timeout to detect a dead one. */
async function firstOf(
  servers: readonly PostgresServer[],
  connect: (server: PostgresServer) => Promise<PostgresConnection>,
): Promise<PostgresConnection> {
  const attempts = servers.map(connect);
  let first: PostgresConnection;
  try {
    first = await Promise.any(attempts);
  } catch (error) {
    throw allFailed(servers, (error as AggregateError).errors as Error[]);
  }
  for (const attempt of attempts) {
    attempt.then((other) => other !== first && other.end()).catch(() => undefined);
  }
  return first;
}

function allFailed(servers: readonly PostgresServer[], errors: readonly Error[]): Error {
  const [only] = errors;
  if (errors.length === 1 && only !== undefined) return only;
  const bug = errors.find((error) => !(error instanceof StoreError));
  if (bug !== undefined) return bug;
  // Faults that an operator must fix (a password, a certificate) come before faults that may pass.
  const code = (errors as StoreError[])
    .map((error) => error.code)
    .find((one) => one !== 'unavailable' && one !== 'read_only');
  return new StoreError(
    code ?? 'unavailable',
    `None of ${servers.map(nameOf).join(', ')} takes writes: ${errors.map(({ message }) => message).join(' ')}`,
    { cause: new AggregateError(errors) },
  );
}
