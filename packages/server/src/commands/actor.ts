import { userInfo } from 'node:os';
import type { Change } from '../admin/audited.ts';
import type { Actor } from '../domain/actor.ts';
import type { Store } from '../storage/store.ts';

/** The user of the operating system who runs this command. */
export function commandLineActor(): Actor {
  const name = userName();
  return { kind: 'command_line', id: name, name, address: null };
}

/** What a change by the command line begins with. */
export function commandLineChange(store: Store, nowMs: number = Date.now()): Change {
  return { store, actor: commandLineActor(), nowMs };
}

/** Not from the environment, where anybody can write another name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // A container may run the program as a user that no name is known of.
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}
