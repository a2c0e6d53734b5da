#!/usr/bin/env node
// In a clone the sources run as they are (Node strips the types); in the published package the compiled files do.
import { existsSync } from 'node:fs';

process.stdout.on('error', (error) => {
  // A reader such as `head` may end first.
  if (error.code !== 'EPIPE') throw error;
});

const sources = new URL('../src/main.ts', import.meta.url);
const { run } = await import(existsSync(sources) ? sources : new URL('../dist/main.js', import.meta.url));
process.exitCode = await run(process.argv.slice(2));
