import { userInfo } from 'node:os';
import type { Actor } from '../domain/actor.ts';

/** Whoever runs this command, by the user name of the operating system. */
export function commandLineActor(): Actor {
  const name = userName();
  return { kind: 'command_line', id: name, name, address: null };
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
