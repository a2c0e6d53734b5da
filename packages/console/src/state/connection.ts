import { createStore, type Store } from './store.ts';

/** Whether the last request got a response. */
export const connection: Store<'online' | 'offline'> = createStore<'online' | 'offline'>('online');
