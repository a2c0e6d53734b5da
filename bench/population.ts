// A million API users whose secrets are computed from their number, so that nothing needs storing.
import { hash } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { crc32 } from 'node:zlib';
import { BASE62 } from '../packages/server/src/lib/random.ts';
import { secretDigest } from '../packages/server/src/domain/secret.ts';

export function clientIdAt(index: number): string {
  return `api_${base62(hash('sha256', `id ${index}`, 'buffer'), 20)}`;
}

export function secretAt(index: number): string {
  const bytes = hash('sha512', `secret ${index}`, 'buffer');
  const body = `mms_${base62(bytes.subarray(53), 10)}_${base62(bytes, 43)}`;
  return body + checksum(body);
}

function base62(bytes: Uint8Array, length: number): string {
  let text = '';
  for (let i = 0; i < length; i++) text += BASE62.charAt((bytes[i] ?? 0) % 62);
  return text;
}

function checksum(text: string): string {
  let value = crc32(text);
  let digits = '';
  for (let i = 0; i < 6; i++) {
    digits = BASE62.charAt(value % 62) + digits;
    value = Math.floor(value / 62);
  }
  return digits;
}

/** How many API users an import writes in a millisecond. */
const WRITTEN_IN_A_MS = 7;

/**
 * Writes `count` API users with a secret each, used once, directly into a migrated store that no server uses.
 */
export function seed(path: string, count: number): void {
  const database = new DatabaseSync(path);
  // Ids are random, so each row changes another page: with the usual cache, every page would be written many times.
  database.exec('pragma synchronous = off; pragma cache_size = -1048576; begin');
  const user = database.prepare(
    `insert into api_users (client_id, name, enabled, scopes, audiences, allowed_networks, limit_per_minute, created_at, updated_at)
     values (?, ?, 1, '["campaigns:read"]', '[]', '[]', 1000000, ?, 0)`,
  );
  const credential = database.prepare(
    `insert into credentials (id, client_id, kind, name, digest, created_at) values (?, ?, 'secret', 'bench', ?, 0)`,
  );
  for (let index = 0; index < count; index++) {
    const clientId = clientIdAt(index);
    const secret = secretAt(index);
    user.run(clientId, `API user ${index}`, Math.floor(index / WRITTEN_IN_A_MS));
    credential.run(secret.slice(4, 14), clientId, secretDigest(secret));
  }
  database.exec(
    `insert into credential_usage select id, 1700000000000, '192.0.2.1', 1, null from credentials order by id`,
  );
  database.exec('commit; pragma wal_checkpoint(truncate)');
  database.close();
}
