// Test setup: own store, own limits.
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '@mintmark/test-support/command-line';
import { lintedWith, ROOT } from './lint.ts';

/** An import against the direction for each room, and for each part of http/. */
const AGAINST_THE_DIRECTION: Record<string, string> = {
  lib: '../domain/probe.ts',
  domain: '../storage/probe.ts',
  storage: '../config/probe.ts',
  config: '../runtime/probe.ts',
  runtime: '../oauth/probe.ts',
  oauth: '../admin/probe.ts',
  admin: '../oauth/probe.ts',
  'store-files': '../http/probe.ts',
  http: '../server/probe.ts',
  'http/oauth': '../../admin/probe.ts',
  'http/admin': '../../oauth/probe.ts',
  'http/public': '../admin/probe.ts',
  server: '../doctor/probe.ts',
  doctor: '../server/probe.ts',
  commands: '../main.ts',
};

test('every room has its probe', () => {
  const rooms = readdirSync(join(ROOT, 'packages/server/src')).filter((name) => name !== 'main.ts');
  const probed = Object.keys(AGAINST_THE_DIRECTION).filter((room) => !room.includes('/'));
  assert.deepEqual(rooms.toSorted(), probed.toSorted());
});

test('the linter fails for an import against the direction, room by room', () => {
  const folder = temporaryFolder();
  const sources = join(folder, 'packages/server/src');
  for (const [room, target] of Object.entries(AGAINST_THE_DIRECTION)) {
    mkdirSync(join(sources, room), { recursive: true });
    writeFileSync(join(sources, room, 'probe.ts'), `import { probe } from '${target}';\nprobe();\n`);
  }
  copyFileSync(join(ROOT, '.oxlintrc.json'), join(folder, '.oxlintrc.json'));
  const found = lintedWith(join(folder, '.oxlintrc.json'), ['packages'], folder)
    .filter(({ rule }) => rule === 'eslint(no-restricted-imports)')
    .map(({ file }) => dirname(file).replace('packages/server/src/', ''));
  assert.deepEqual(found.toSorted(), Object.keys(AGAINST_THE_DIRECTION).toSorted());
  rmSync(folder, { recursive: true });
});
