// Test setup: long.
// `npm test` tries one of each kind in leaving.test.ts.
import { test } from 'node:test';
import { FORMS, leaving, ONCE } from './leaving.ts';

void test('the console asks before anything is lost', { timeout: 240_000 }, (t) =>
  leaving(t, { guarded: [...ONCE, ...FORMS].filter(({ isTypical }) => isTypical !== true) }),
);
