// Test setup: first.
import { test } from 'node:test';
import { DESKTOP } from '@mintmark/test-support/browser';
import { journey } from './journey.ts';

void test('from the first admin to a leak’s end, at a desk', { timeout: 240_000 }, (t) =>
  journey(t, DESKTOP),
);
