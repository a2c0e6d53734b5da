import type { Entry } from './reproduction.ts';

/** Entries 1 to 28: found by the four reviews. */
export const reviews: Readonly<Record<string, Entry>> = {
  1: {
    mend: '7c38ec8',
    file: 'packages/server/test/change-feed.test.ts',
    test: 'changes during the load of a start are handed on after it',
    failure: 'test timed out',
  },
  2: {
    mend: '3b1c6ec',
    file: 'packages/server/test/password-guesses.test.ts',
    test: 'guesses at a password that come at once end at the budget',
    failure: 'of at most 11 at',
  },
  3: {
    mend: '7c07201',
    file: 'packages/server/test/timing-passwords.test.ts',
    test: 'takes the same time, wrong or disabled, expired or retired, remembered or not',
    failure: 'and disabled, accepted never',
  },
  4: {
    mend: '2739bef',
    file: 'packages/server/test/forwarded-address.test.ts',
    test: 'a text that is not an address opens neither metrics nor allow-lists',
    failure: '200 !== 403',
  },
  5: {
    mend: '97f04db',
    file: 'packages/server/test/postgres-clocks.test.ts',
    test: 'a node an hour ahead deletes no revocation',
    failure: '0 !== 1',
  },
  6: {
    mend: 'efc2ef0',
    file: 'packages/server/test/postgres-standby.test.ts',
    test: 'usage whose write had an unknown outcome is counted once',
    leavesOut: "import { synchronousStandbys } from '../src/storage/postgres-standby.ts';",
    failure: 'Expected values to be strictly equal',
  },
  '6a': {
    mend: '486affd',
    file: 'packages/server/test/token-failures.test.ts',
    test: 'with the store away readiness fails seconds before tokens are refused',
    failure: "-   'going_stale'",
  },
  7: {
    mend: '79fff93',
    file: 'packages/server/test/text-encoding.test.ts',
    test: 'a JSON body that is not UTF-8 is refused on every route',
    failure: 'POST /session',
  },
  8: {
    mend: '91be0cb',
    file: 'packages/server/test/username-conflicts.test.ts',
    test: 'a username that is a client id in any letter case is refused',
    failure: "'conflict'",
  },
  9: {
    mend: 'cc3628b',
    file: 'packages/server/test/bad-settings.test.ts',
    test: 'a path from a file with the line ends of Windows stops the start, and nothing is made',
    failure: 'test timed out',
  },
  10: {
    mend: 'daf5bbd',
    file: 'packages/server/test/list-parameters.test.ts',
    test: 'a time that is on no calendar is refused by every parameter and member',
    failure: "-   'invalid'",
  },
  11: {
    mend: '8244ad9',
    file: 'packages/server/test/admin-events.test.ts',
    test: 'one caller opens no more streams than its part, and others still open theirs',
    failure: 'test timed out',
  },
  12: {
    mend: 'e708e5c',
    file: 'packages/server/test/deleted-client-ids.test.ts',
    test: 'security 12: an operator cannot delete an API user that may do everything',
    failure: "-   'forbidden'",
  },
  13: {
    mend: 'f27d431',
    file: 'packages/server/test/signing-key-proof.test.ts',
    test: 'a good key whose row was changed is no longer published',
    failure: 'retires_at = ',
  },
  14: {
    mend: 'e46bf88',
    file: 'packages/server/test/operator-profile.test.ts',
    test: 'the second factor is turned off with a code of it, or a recovery code',
    failure: "-   'second_factor_required'",
  },
  15: {
    mend: '1e6a4f2',
    file: 'packages/server/test/http-framing.test.ts',
    test: 'a caller that sends Authorization twice is refused',
    failure: 'strictly deep-equal',
  },
  16: {
    mend: 'd538597',
    file: 'packages/verifier/test/key-choice.test.ts',
    test: 'a key with the kid that cannot be used does not hide the one that can',
    failure: 'No single key of the issuer fits',
  },
  17: {
    notReproducible:
      "the test drives a browser over a build of the console of that time, which today's packages do not make.",
  },
  18: {
    notReproducible:
      "the test drives a browser over a build of the console of that time, which today's packages do not make.",
  },
  19: {
    mend: '13c7c8e',
    file: 'packages/server/test/in-use.test.ts',
    test: 'disabling an API user in use is refused with its callers, unless forced',
    failure: "-   'unsafe'",
  },
  20: {
    mend: '0bd4db6',
    file: 'packages/server/test/credential-reset.test.ts',
    test: 'a reset gives a password that works by client id and username',
    leavesOut: "import { RETIRED_WHEN_QUIET_MS } from '../src/domain/credential.ts';",
    failure: '/password is not known',
  },
  21: {
    mend: '4acc727',
    file: 'packages/server/test/repeated-import.test.ts',
    test: 'the same file a second time makes nothing, with and without keys',
    leavesOut: "import { importLines } from '../src/import-lines.ts';",
    failure: "+   'refused',",
  },
  22: {
    mend: '797a953',
    file: 'packages/server/test/admin-events.test.ts',
    test: 'a new stream begins with the seconds before it',
    failure: "'rates' !== 'history'",
  },
  23: {
    mend: 'f704787',
    file: 'packages/server/test/admin-search.test.ts',
    test: 'an export of API users has those that the list has',
    failure: '?search=FEEDS@',
  },
  24: {
    notReproducible:
      'the test clones the repository at its newest commit and installs from the registry, so it tests the packages of today.',
  },
  25: {
    mend: '4b5157e',
    file: 'examples/marketing-api/marketing-api.test.ts',
    test: 'the API user of the first start reads the portfolio and campaigns',
    failure: '401 !== 200',
  },
  26: {
    mend: '8024623',
    file: 'packages/server/test/cli.test.ts',
    test: 'mintmark help prints the help of any command, nested ones too',
    failure: 'Create an API user with a first secret',
  },
  27: {
    mend: '4a94987',
    file: 'packages/client/test/outage.test.ts',
    test: '20 jobs that start during a restart of 22 seconds all get tokens',
    failure: 'connect ECONNREFUSED',
  },
  28: {
    mend: 'e2469b1',
    file: 'packages/server/test/discovery.test.ts',
    test: 'the OpenID document is the metadata with what OpenID discovery demands',
    failure: '404 !== 200',
  },
};
