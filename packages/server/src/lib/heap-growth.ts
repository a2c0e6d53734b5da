import { setFlagsFromString } from 'node:v8';

/**
 * Lets the heap of V8 grow under load. bin/mintmark.mjs keeps the space of new objects at its first size,
 * 1 MiB, while the server starts and reads the API users: these are many objects that stay. V8 would answer
 * with a space of 32 MiB, and keep that for as long as the process is at rest.
 */
export function growHeapUnderLoad(): void {
  setFlagsFromString(`--semi-space-growth-factor=${NEW_SPACE_FACTOR}`);
  setFlagsFromString(`--heap-growing-percent=${HEAP_PERCENT}`);
}

/**
 * V8 multiplies the space of new objects by this, by default 2, once as many bytes as it has were kept. Few
 * objects of requests are kept, so it would stay small for long. Each collection of it has a fixed cost.
 */
const NEW_SPACE_FACTOR = 4;

/**
 * How much the heap may grow until V8 collects all of it. V8 takes 10 % if the heap grows slowly, less the
 * space of new objects. With a million API users, every 8 MiB of garbage would cost a whole collection.
 */
const HEAP_PERCENT = 20;
