import { userInfo } from 'node:os';
import type { Change } from '../admin/audited.ts';
import type { Actor } from '../domain/actor.ts';
import type { Store } from '../storage/store.ts';

/** The user of the operating system who runs this command. */
export function commandLineActor(): Actor {
  const name = userName();
  return { kind: 'command_line', id: name, name, address: null };
}

/** The first argument of every change that a command makes. */
export function commandLineChange(store: Store, nowMs: number = Date.now()): Change {
  return { store, actor: commandLineActor(), nowMs };
}

/** From the operating system: a caller can set any name in the environment. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // A container may run the program as a user id without a name.
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}
