// Clients by other authors that come as packages of Debian.
import { spawnSync } from 'node:child_process';

/** A Python that has authlib; null if there is none. */
export function authlibPython(): string | null {
  // Debian's own: another Python may come first in PATH, and have none of Debian's modules.
  const candidates = ['/usr/bin/python3', 'python3'];
  return candidates.find((python) => runs(python, ['-c', 'import authlib, requests'])) ?? null;
}

/** False if authlib is installed; else the reason to skip. CI requires it. */
export function authlibMissing(): string | false {
  return authlibPython() === null && missing('authlib', 'apt-get install python3-authlib python3-requests');
}

/** False if the command line `jose` is installed; else the reason to skip. CI requires it. */
export function joseMissing(): string | false {
  return !runs('jose', ['alg']) && missing('The command jose', 'apt-get install jose');
}

/** False if the program is installed; else the reason to skip. `packages`: what brings it. CI requires it. */
export function programMissing(
  program: string,
  parameters: readonly string[],
  packages: string = program,
): string | false {
  return !runs(program, parameters) && missing(`The command ${program}`, `apt-get install ${packages}`);
}

function runs(program: string, parameters: readonly string[]): boolean {
  return spawnSync(program, parameters).status === 0;
}

function missing(name: string, command: string): string {
  const how = `${name} is missing: ${command}`;
  if (process.env['CI'] === 'true') throw new Error(how);
  console.warn(`\n*** These tests are skipped. ${how} ***\n`);
  return how;
}
