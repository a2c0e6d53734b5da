#!/usr/bin/env node
// In a clone the sources run as they are (Node strips the types); in the published package the compiled files do.
import { existsSync } from 'node:fs';
import { enableCompileCache, registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';

// Whoever reads our output may go away first (`mintmark api-user list | head -1`): that is no error of ours. What cannot
// be said on standard error, because its disk is full, is no reason to end a server.
process.stdout.on('error', (error) => {
  if (error.code !== 'EPIPE') throw error;
});
process.stderr.on('error', () => {});

// Until the server has started (lib/heap-growth.ts).
if (process.argv[2] === 'serve') setFlagsFromString('--semi-space-growth-factor=1');

const sources = new URL('../src/', import.meta.url);
const isClone = existsSync(sources);
const code = isClone ? sources : new URL('../dist/', import.meta.url);
// Stripping and compiling is most of a start. Kept in the clone itself: code that is taken from a folder in which others
// may write, as the default one is, would be theirs.
if (isClone)
  enableCompileCache(fileURLToPath(new URL('../../../node_modules/.cache/mintmark', import.meta.url)));

// In these folders a relative import names its file exactly, and every file is an ES module. For each of some 500 files
// Node would look for the file, its real path and its package: a fifth of the CPU time of a start.
const EXACT = /\/node_modules\/(kysely\/dist|typebox\/build)\//;
registerHooks({
  resolve(specifier, context, next) {
    const { parentURL = '' } = context;
    const isExact = specifier.startsWith('.') && (parentURL.startsWith(code.href) || EXACT.test(parentURL));
    if (!isExact) return next(specifier, context);
    const url = new URL(specifier, parentURL).href;
    return { url, format: url.endsWith('.ts') ? 'module-typescript' : 'module', shortCircuit: true };
  },
});

const { run } = await import(new URL(isClone ? 'main.ts' : 'main.js', code));
process.exitCode = await run(process.argv.slice(2));
