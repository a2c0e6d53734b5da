import { setFlagsFromString } from 'node:v8';

/**
 * Lets V8 grow the space of new objects as usual. bin/mintmark.mjs keeps it at its first size, 1 MiB, while
 * the server starts and reads the API users: these are many objects that stay. V8 would answer with a space
 * of 32 MiB, and keep that for as long as the process is at rest.
 */
export function growYoungGeneration(): void {
  setFlagsFromString(`--semi-space-growth-factor=${DEFAULT_FACTOR}`);
}

/** V8 reads it each time that the space is full. */
const DEFAULT_FACTOR = 2;
