/** `process` where there is one: Node, Deno, Bun and some workers, not browsers. */
export const runtime: Partial<typeof globalThis.process> | undefined = globalThis.process;
