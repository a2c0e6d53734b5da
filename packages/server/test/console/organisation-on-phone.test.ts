// Test setup: jose, authlib, long.
import { test } from 'node:test';
import { PHONE } from '@mintmark/test-support/browser';
import { authlibMissing } from '@mintmark/test-support/debian-programs';
import { organisationJourney } from './organisation-journey.ts';

void test(
  'an agency helps itself until it is disabled, on a phone',
  { timeout: 280_000, skip: authlibMissing() },
  (t) => organisationJourney(t, PHONE),
);
