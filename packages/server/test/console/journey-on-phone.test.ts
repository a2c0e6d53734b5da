// Test setup: long.
// `npm test` sees every page on a phone in accessibility.test.ts.
import { test } from 'node:test';
import { PHONE } from '@mintmark/test-support/browser';
import { journey } from './journey.ts';

void test('from the first admin to a leak’s end, on a phone', { timeout: 240_000 }, (t) => journey(t, PHONE));
