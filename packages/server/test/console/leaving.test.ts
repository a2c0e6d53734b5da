// Test setup: first.
// The other secrets and forms are for --long: leaving-long.test.ts.
import { test } from 'node:test';
import { address, dialogs, FORMS, leaving, ONCE } from './leaving.ts';

void test('the console asks before something is lost', { timeout: 240_000 }, (t) =>
  leaving(t, {
    guarded: [...ONCE, ...FORMS].filter(({ isTypical }) => isTypical === true),
    rest: async (context, admin, server) => {
      await context.test('closing an edited dialog asks, and keeps what was typed', () =>
        dialogs(admin, server),
      );
      await context.test('the address of a secret shown once never shows another page', () =>
        address(admin, server),
      );
    },
  }),
);
