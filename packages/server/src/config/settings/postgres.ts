import type { Redacted } from '../../lib/redacted.ts';
import { flag, secret, whole, type Setting } from '../setting.ts';
import { POSTGRES_CONNECTIONS_MIN } from '../../storage/postgres/postgres.ts';

/** The settings for a store in PostgreSQL; a part of `Config`. Without a meaning where the store is a SQLite file. */
export interface PostgresConfig {
  readonly databasePassword: Redacted | null;
  readonly postgresConnectionsMax: number;
  readonly postgresConnectTimeoutMs: number;
  readonly postgresStatementTimeoutMs: number;
  readonly postgresFollowTimeoutMs: number;
  readonly postgresListen: boolean;
}

export const POSTGRES_SETTINGS: { readonly [K in keyof PostgresConfig]: Setting<PostgresConfig[K]> } = {
  databasePassword: secret(
    'DATABASE_PASSWORD',
    '<password>',
    'Password for PostgreSQL, where DATABASE_URL holds none.',
  ),
  postgresConnectionsMax: whole(
    'POSTGRES_CONNECTIONS',
    '<number>',
    10,
    POSTGRES_CONNECTIONS_MIN,
    1000,
    'Most connections of this process to PostgreSQL.',
  ),
  postgresConnectTimeoutMs: whole(
    'POSTGRES_CONNECT_TIMEOUT',
    '<ms>',
    2000,
    50,
    60_000,
    'In this time a connection to PostgreSQL is made and signed in.',
  ),
  postgresStatementTimeoutMs: whole(
    'POSTGRES_STATEMENT_TIMEOUT',
    '<ms>',
    10_000,
    100,
    600_000,
    'PostgreSQL ends a statement after this time; migrations alone may take longer.',
  ),
  postgresFollowTimeoutMs: whole(
    'POSTGRES_FOLLOW_TIMEOUT',
    '<ms>',
    250,
    20,
    10_000,
    'The small reads that keep this process in step are tried on another connection after this time.',
  ),
  postgresListen: flag(
    'POSTGRES_LISTEN',
    true,
    'Hear of changes at once by LISTEN, on a connection of its own; false, behind a pooler: by the poll alone.',
  ),
};
