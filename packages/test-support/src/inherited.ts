/** What a child process has besides its settings. Its threads find the compile cache by this variable only. */
export const INHERITED: Record<string, string> = Object.fromEntries(
  ['PATH', 'NODE_COMPILE_CACHE'].map((name) => [name, process.env[name] ?? '']),
);
