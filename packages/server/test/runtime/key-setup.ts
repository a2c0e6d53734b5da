// Processes that fetch keys of others from real https servers into a real store. Only the clock is shortened.
import pino from 'pino';
import type { AssertionAlgorithm } from '../../src/domain/assertion-algorithm.ts';
import type { KeySearch, KeySource, NamedKeySource } from '../../src/domain/key-source.ts';
import type { Resolve } from '../../src/runtime/trusted-keys/guarded-get.ts';
import { createTrustedKeys, type TrustedKeys } from '../../src/runtime/trusted-keys/trusted-keys.ts';
import type { Store } from '../../src/storage/store.ts';
import { temporaryStore, type TemporaryStore } from '@mintmark/test-support/temporary-store';
import { certificate, startIssuer, type Issuer, type Tls } from './issuer.ts';

export const TLS: Tls = certificate('localhost', 'issuer.test', 'other.test');
const HOSTS = `localhost=${TLS.caFile},issuer.test=${TLS.caFile}`;

export interface Process extends Disposable {
  keys: TrustedKeys;
  find(kid: string | null, source?: KeySource, algorithm?: AssertionAlgorithm): Promise<KeySearch>;
}

export interface Setup extends AsyncDisposable {
  issuer: Issuer;
  opened: TemporaryStore;
  clock: { ms: number };
  /** The key sources that credentials name. */
  named: NamedKeySource[];
  /** Starts another process on the same store. */
  process(parts?: { store?: Store; resolve?: Resolve }): Promise<Process>;
}

export async function setup(env: Record<string, string> = {}): Promise<Setup> {
  const issuer = await startIssuer(TLS);
  const opened = await temporaryStore({ MINTMARK_PRIVATE_KEY_HOSTS: HOSTS, ...env });
  const clock = { ms: Date.now() };
  const named: NamedKeySource[] = [{ source: { issuer: issuer.url }, issuer: issuer.url }];
  const running: TrustedKeys[] = [];
  return {
    issuer,
    opened,
    clock,
    named,
    async process({ store = opened.store, ...parts } = {}) {
      const { config } = opened;
      const keys = createTrustedKeys({
        store,
        config,
        log: pino({ level: 'silent' }),
        named: async () => named,
        maintains: true,
        now: () => clock.ms,
        ...parts,
      });
      running.push(keys);
      await keys.start();
      return {
        keys,
        find: async (kid, source = { issuer: issuer.url }, algorithm = 'ES256') =>
          await keys.find(source, kid, algorithm, clock.ms),
        [Symbol.dispose]: keys.stop,
      };
    },
    async [Symbol.asyncDispose]() {
      for (const keys of running) keys.stop();
      await issuer[Symbol.asyncDispose]();
      await opened[Symbol.asyncDispose]();
    },
  };
}

export const isKey = (search: KeySearch): boolean => 'key' in search;
export const awayOf = (search: KeySearch): string =>
  'away' in search ? search.away : JSON.stringify(search);
