import type { Store } from '../storage/store.ts';

/** Records the URL by which callers reach this server, for commands on the same store that print it. */
export async function recordIssuer(store: Store, issuer: string): Promise<void> {
  if ((await recordedIssuer(store)) === issuer) return;
  await store.write(({ meta }) => meta.set('issuer', issuer));
}

/** The issuer of the server that last started on this store; null: none has started yet. */
export async function recordedIssuer({ meta }: Pick<Store, 'meta'>): Promise<string | null> {
  return await meta.get('issuer');
}
