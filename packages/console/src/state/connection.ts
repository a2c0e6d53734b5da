import { createStore, type Store } from './store.ts';

/** Whether the server answered the last request that was sent to it. */
export const connection: Store<'online' | 'offline'> = createStore<'online' | 'offline'>('online');
