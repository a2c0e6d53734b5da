/** `process` in Node, Deno, Bun and some workers; undefined in browsers. */
export const runtime: Partial<typeof globalThis.process> | undefined = globalThis.process;
