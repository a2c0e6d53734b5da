import { createStore, type Store } from './store.ts';

export interface Announcement {
  id: number;
  text: string;
  kind: 'done' | 'failed';
  /** Undoes the announced change. */
  undo: (() => void) | null;
}

/** The latest messages, shown in the page's corner and read by screen readers. */
export const announcements: Store<readonly Announcement[]> = createStore<readonly Announcement[]>([]);

const SHOWN_MS = 8000;
const SHOWN_MAX = 3;
let last = 0;

export function announce(
  text: string,
  { kind = 'done', undo = null }: Partial<Pick<Announcement, 'kind' | 'undo'>> = {},
): void {
  last += 1;
  const id = last;
  announcements.set([...announcements.get(), { id, text, kind, undo }].slice(-SHOWN_MAX));
  setTimeout(() => dismiss(id), SHOWN_MS);
}

export function dismiss(id: number): void {
  announcements.set(announcements.get().filter((announcement) => announcement.id !== id));
}
