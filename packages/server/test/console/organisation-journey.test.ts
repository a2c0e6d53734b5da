// Test setup: jose, authlib, first.
import { test } from 'node:test';
import { DESKTOP } from '@mintmark/test-support/browser';
import { authlibMissing } from '@mintmark/test-support/debian-programs';
import { organisationJourney } from './organisation-journey.ts';

void test(
  'an agency helps itself until it is disabled, at a desk',
  { timeout: 280_000, skip: authlibMissing() },
  (t) => organisationJourney(t, DESKTOP),
);
