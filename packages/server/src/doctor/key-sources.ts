import type { Config } from '../config/config.ts';
import { keySourceAddress, keysState } from '../domain/key-source.ts';
import type { Store } from '../storage/store.ts';
import type { StoredKeySource } from '../storage/tables/key-source.ts';
import type { Finding } from './finding.ts';

const WHAT = 'keys of others';

/** Reports the issuers and key sets that the servers could not fetch. None without a key source. */
export async function keySourceFindings(
  store: Pick<Store, 'keySources'>,
  { keySourcesMax, trustedKeysKeptHours }: Config,
): Promise<Finding[]> {
  const nowMs = Date.now();
  const rows = await store.keySources.list(keySourcesMax);
  const failed = rows.filter(({ error }) => error !== null);
  if (failed.length > 0) return failed.map((row) => failure(row, trustedKeysKeptHours, nowMs));
  const count = rows.length === 1 ? 'the keys of one source were' : `the keys of ${rows.length} sources were`;
  return rows.length === 0 ? [] : [{ what: WHAT, state: 'ok', detail: `${count} fetched without a fault` }];
}

function failure(row: StoredKeySource, keptHours: number, nowMs: number): Finding {
  const isAway = keysState(row, keptHours, nowMs) === 'away';
  const fetched =
    row.fetchedAt === null
      ? 'were never fetched'
      : `were last fetched at ${new Date(row.fetchedAt).toISOString()}`;
  const { address } = keySourceAddress(row.source);
  return {
    what: WHAT,
    state: isAway ? 'fail' : 'warn',
    detail: `the keys of ${address} ${fetched}: ${row.error}`,
    mend: isAway
      ? 'its callers get 503 until its keys can be fetched: check the issuer, or mend its trust rule'
      : 'its keys stay in use for a time: check the issuer and the network to it',
  };
}
