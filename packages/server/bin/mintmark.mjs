#!/usr/bin/env node
// In a clone the sources run as they are (Node strips the types); in the published package the compiled files do.
import { existsSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';

// Whoever reads our output may go away first (`mintmark api-user list | head -1`): that is no error of ours. What cannot
// be said on standard error, because its disk is full, is no reason to end a server.
process.stdout.on('error', (error) => {
  if (error.code !== 'EPIPE') throw error;
});
process.stderr.on('error', () => {});

const sources = new URL('../src/main.ts', import.meta.url);
const isClone = existsSync(sources);
// Stripping and compiling is most of a start. Kept in the clone itself: code that is taken from a folder in which others
// may write, as the default one is, would be theirs.
if (isClone)
  enableCompileCache(fileURLToPath(new URL('../../../node_modules/.cache/mintmark', import.meta.url)));
const { run } = await import(isClone ? sources : new URL('../dist/main.js', import.meta.url));
process.exitCode = await run(process.argv.slice(2));
