/** How an entry of docs/robustness.md is reproduced. */
export interface Reproduction {
  /** The commit that mended the fault. The code before it is that of its first parent. */
  mend: string;
  /** The commit whose tests run on both; the mend if it has the test. */
  testsFrom?: string;
  /** The test file, and the name of the test in it, as they were in that commit. */
  file: string;
  test: string;
  /** A part of the message with which it fails before the mend: another failure proves nothing. */
  failure?: string;
}

/** An entry without a command: it is in the track record, and counts as not reproduced. */
export interface NotReproducible {
  notReproducible: string;
}

export const reproductions: Readonly<Record<string, Reproduction | NotReproducible>> = {
  1: {
    mend: '7c38ec8',
    file: 'packages/server/test/change-feed.test.ts',
    test: 'changes during the load of a start are handed on after it',
  },
  2: {
    mend: '3b1c6ec',
    file: 'packages/server/test/password-guesses.test.ts',
    test: 'guesses at a password that come at once end at the budget',
    failure: ' of at most ',
  },
  3: {
    mend: '7c07201',
    file: 'packages/server/test/timing-passwords.test.ts',
    test: 'takes the same time, wrong or disabled, expired or retired, remembered or not',
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
  },
  6: {
    mend: 'efc2ef0',
    file: 'packages/server/test/postgres-standby.test.ts',
    test: 'usage whose write had an unknown outcome is counted once',
  },
  '6a': {
    mend: '486affd',
    file: 'packages/server/test/token-failures.test.ts',
    test: 'with the store away readiness fails seconds before tokens are refused',
  },
  7: {
    mend: '79fff93',
    file: 'packages/server/test/text-encoding.test.ts',
    test: 'a JSON body that is not UTF-8 is refused on every route',
  },
  8: {
    mend: '91be0cb',
    file: 'packages/server/test/username-conflicts.test.ts',
    test: 'a username that is a client id in any letter case is refused',
  },
  9: {
    mend: 'cc3628b',
    file: 'packages/server/test/bad-settings.test.ts',
    test: 'a path from a file with the line ends of Windows stops the start, and nothing is made',
  },
  10: {
    mend: 'daf5bbd',
    file: 'packages/server/test/list-parameters.test.ts',
    test: 'pages of every sort list each API user exactly once, in order',
  },
  11: {
    mend: '8244ad9',
    file: 'packages/server/test/admin-events.test.ts',
    test: 'one caller opens no more streams than its part, and others still open theirs',
  },
  12: {
    mend: 'e708e5c',
    file: 'packages/server/test/deleted-client-ids.test.ts',
    test: 'security 12: an operator cannot delete an API user that may do everything',
  },
  13: {
    mend: 'f27d431',
    file: 'packages/server/test/signing-key-proof.test.ts',
    test: 'a good key whose row was changed is no longer published',
  },
  14: {
    mend: 'e46bf88',
    file: 'packages/server/test/operator-profile.test.ts',
    test: 'the second factor is turned off with a code of it, or a recovery code',
  },
  15: {
    mend: '1e6a4f2',
    file: 'packages/server/test/http-framing.test.ts',
    test: 'a caller that sends Authorization twice is refused',
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
  },
  20: {
    mend: '0bd4db6',
    file: 'packages/server/test/credential-reset.test.ts',
    test: 'a reset gives a password that works by client id and username',
  },
  21: {
    mend: '4acc727',
    file: 'packages/server/test/repeated-import.test.ts',
    test: 'the same file a second time makes nothing, with and without keys',
  },
  22: {
    mend: '797a953',
    file: 'packages/server/test/admin-events.test.ts',
    test: 'a new stream begins with the seconds before it',
  },
  23: {
    mend: 'f704787',
    file: 'packages/server/test/admin-search.test.ts',
    test: 'an export of API users has those that the list has',
  },
  24: {
    notReproducible:
      'the test clones the repository at its newest commit and installs from the registry, so it tests the packages of today.',
  },
  25: {
    mend: '4b5157e',
    file: 'examples/marketing-api/marketing-api.test.ts',
    test: 'the API user of the first start reads the portfolio and campaigns',
  },
  26: {
    mend: '8024623',
    file: 'packages/server/test/cli.test.ts',
    test: 'mintmark help prints the help of any command, nested ones too',
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
  },
  h1: {
    mend: '065e32b',
    file: 'packages/server/test/rate-limit.test.ts',
    test: 'a burst of any size passes exactly to its limit',
    failure: 'Property failed',
  },
  h2: {
    mend: 'cb4e658',
    file: 'packages/server/test/security.test.ts',
    test: 'guessing at a username is slowed in whatever letter case it is sent, and the same for one that does not exist',
  },
  h3: {
    mend: 'e7ccca2',
    testsFrom: 'f298124',
    file: 'packages/server/test/token-response.test.ts',
    test: 'a scope that the API user does not have is refused, and so is one that is malformed',
    failure: 'a scope of spaces is malformed',
  },
  h4: {
    mend: 'd456361',
    testsFrom: 'f298124',
    file: 'packages/server/test/token-response.test.ts',
    test: 'a traceparent that is not well-formed is ignored',
    failure: '00-4bf92f3577b34da6a3ce929d0e0e4736',
  },
  h5: {
    mend: '8f835cc',
    testsFrom: '360be19',
    file: 'packages/server/test/token-request.test.ts',
    test: 'an unknown path is answered 404 as JSON, with any method and any body',
    failure: '400 !== 404',
  },
  h6: {
    mend: '5706ec7',
    testsFrom: '2ae816a',
    file: 'packages/server/test/token-failures.test.ts',
    test: 'an API user whose row is damaged while the server runs harms no other, and changes go on to be seen',
    failure: '200 !== 500',
  },
  h7: {
    mend: '1da6595',
    testsFrom: 'a332f28',
    file: 'packages/server/test/token-failures.test.ts',
    test: 'an API user whose row is damaged gets 500, with the cause in the log under the trace id and not in the body',
  },
  h8: {
    mend: 'e02d8db',
    testsFrom: '4afb67d',
    file: 'packages/server/test/malformed-http.test.ts',
    test: 'a caller that sends requests and reads no answers is cut off',
  },
  h9: {
    mend: '6429714',
    testsFrom: '6dc2a1c',
    file: 'packages/server/test/bad-input.test.ts',
    test: "another program's database is not touched, in either journal mode",
  },
  h10: {
    mend: 'a63748a',
    file: 'packages/server/test/memory-counters.test.ts',
    test: 'a clock that is set back refuses nobody for longer than a window',
    failure: 'it would wait 36',
  },
  h11: {
    mend: '60a7666',
    file: 'packages/server/test/change-feed.test.ts',
    test: 'changes that are removed in the middle of a poll are noticed, not passed over',
    failure: 'it did not happen in time',
  },
  h12: {
    notReproducible: 'the model test draws its cases at random, and does not meet the fault in each run.',
  },
  h13: {
    mend: 'b16198b',
    testsFrom: '367777f',
    file: 'packages/server/test/cli-live.test.ts',
    test: 'a live secret goes on working however many newer ones have come and gone',
  },
  h14: {
    mend: '01e4141',
    file: 'packages/server/test/token-passwords.test.ts',
    test: 'the same guess at many names is not worked out once, or the queue would tell which of them have a password',
  },
  h15: {
    mend: '367777f',
    file: 'packages/server/test/log.test.ts',
    test: 'a log on a full disk loses lines; the server answers on, and stops when it is told to',
  },
  h16: {
    mend: '2297088',
    file: 'packages/verifier/test/revocations.test.ts',
    test: 'after the clock was set back by an hour in an outage, the list is asked for again at once',
    failure: ' was accepted',
  },
  h17: {
    mend: '802845b',
    file: 'packages/server/test/change-feed.test.ts',
    test: 'a feed with another past has everything loaded again, whether its number is lower, the same or higher',
    failure: 'it did not happen in time',
  },
  h18: {
    mend: '85c2b62',
    file: 'packages/server/test/admin-api-users.test.ts',
    test: 'a text of any characters comes back as it was given, or is refused',
  },
  h19: {
    mend: 'c1b6123',
    file: 'packages/server/test/audit-chain.test.ts',
    test: 'each kind of tampering with the audit log is found, with the first bad entry',
  },
  h20: {
    mend: '7643ca6',
    file: 'packages/server/test/cli-audit.test.ts',
    test: 'audit list and export show entries whose number or time was set by hand beyond what the program counts to',
  },
  h21: {
    mend: 'fbdee47',
    file: 'packages/server/test/audit-chain.test.ts',
    test: 'an entry set by hand to before the chain, or to between two of its numbers, is not taken for kept long enough',
  },
  h22: {
    mend: '7785fa9',
    file: 'packages/server/test/admin-api-user-list.test.ts',
    test: 'a search for a client id or a username has its API user first, and once, whatever the order',
  },
  h23: {
    mend: '8dbc0d3',
    file: 'packages/server/test/asleep.test.ts',
    test: 'a request whose password waits to be checked gets no token for an API user that was disabled',
  },
  h24: {
    mend: '23ce067',
    file: 'packages/server/test/cli-live.test.ts',
    test: 'what changes while the server is stopped (SIGSTOP) holds for the first request that it sees when it goes on',
  },
  h25: {
    mend: '667e875',
    file: 'packages/server/test/asleep.test.ts',
    test: 'a machine that slept, and the clock of its processes with it, is told by the time of day',
    failure: '0 !== 1',
  },
  h26: {
    mend: '201ddfe',
    file: 'packages/server/test/store-backup.test.ts',
    test: 'a store that is restored twice in a second is kept twice',
    failure: 'exists: name another, or remove it',
  },
  h27: {
    mend: '471baff',
    file: 'packages/server/test/store-backup.test.ts',
    test: 'a store that is damaged, empty, or of another version of the program is restored, and kept as it was',
  },
  h28: {
    mend: 'f714d0b',
    file: 'packages/server/test/store-copy.test.ts',
    test: 'a copy that is used by now is not brought back to what its source holds',
  },
  h29: {
    mend: '56fb9c4',
    file: 'packages/server/test/store-backup.test.ts',
    test: 'a backup is not written through what lies in its place already',
    failure: 'it was written over',
  },
  h30: {
    mend: '7da320d',
    file: 'packages/server/test/store-backup.test.ts',
    test: 'a restore makes the data folder, and nothing where no master key could be',
  },
  h31: { notReproducible: 'the test calls a function that came with the mend.' },
  h32: {
    mend: 'e5143d4',
    file: 'packages/verifier/test/malicious-tokens.test.ts',
    test: 'security 9: no malicious token is believed, in the vectors that the server’s own reader is held against too',
    failure: 'stray bits at the end of the signature was accepted',
  },
  h33: {
    mend: 'efa564a',
    file: 'packages/server/test/store-copy.test.ts',
    test: 'a store that holds anything is not copied over, nor onto itself, nor from where there is none',
  },
  h34: {
    mend: '8d85aaf',
    file: 'packages/server/test/postgres-database.test.ts',
    test: 'a database URL is taken apart as psql does it, and what is wrong is said without quoting it',
    failure: 'me:hush@h/d',
  },
  h35: {
    mend: '8ac0d55',
    file: 'packages/server/test/cli-live.test.ts',
    test: 'what changes while the server is stopped (SIGSTOP) holds for the first request that it sees when it goes on',
  },
  h36: {
    mend: '64375fe',
    file: 'packages/server/test/postgres-migrations.test.ts',
    test: 'stay made up to the one that fails, from which the next start goes on',
  },
  h37: {
    mend: '149afe0',
    file: 'packages/server/test/postgres-connections.test.ts',
    test: 'in which look-ups wait for a lock gets no more and more connections, and what keeps the process in step goes on',
  },
  h38: {
    mend: '2c1c1fb',
    file: 'packages/server/test/workers.test.ts',
    test: 'SIGHUP counts from when the first worker serves, each one is answered after a restart of its own, and none outlives SIGTERM',
  },
  h39: {
    mend: '5e53c16',
    file: 'packages/server/test/redis-limits.test.ts',
    test: 'a user without a password is that user, and not the default one',
  },
  h40: {
    mend: '60f1a6f',
    file: 'packages/server/test/redis-nodes.test.ts',
    test: 'a process that nobody asks notices that Redis is gone, and that it is there again',
  },
  h41: {
    mend: '108d0ec',
    file: 'packages/server/test/cli-live.test.ts',
    test: 'another process that holds the store locked for seconds delays neither look-ups nor the change feed',
  },
  h42: {
    mend: '108d0ec',
    file: 'packages/server/test/secrets.test.ts',
    test: 'a configuration with a master key shows none of it, however it is printed',
  },
  h43: {
    mend: 'f6e1931',
    file: 'packages/server/test/operator-administration.test.ts',
    test: 'an invitation that is asked for again with its Idempotency-Key is not made again',
  },
  h44: {
    mend: 'e4523a2',
    file: 'packages/server/test/admin-events.test.ts',
    test: 'a reader who is gone before the stream begins takes no room',
    failure: '2 !== 0',
  },
  h45: {
    mend: '5002ae8',
    file: 'packages/server/test/malformed-http.test.ts',
    test: 'connections that come all at once while the server is busy wait in the queue: none is lost',
  },
  h46: {
    mend: 'aae5682',
    file: 'packages/server/test/asleep.test.ts',
    test: 'a token that was revoked while a server slept is refused by the first answer of its admin API',
  },
  h47: {
    mend: '1596492',
    file: 'packages/server/test/config/bad-settings.test.ts',
    test: 'every setting but passwords refuses white space around it, and shows it',
    failure: 'Missing expected exception',
  },
  h48: {
    mend: 'db9170b',
    file: 'packages/server/test/admin/list-parameters.test.ts',
    test: 'a scope filter tells letter case apart',
  },
  h49: {
    mend: 'd2e4916',
    file: 'packages/server/test/text-encoding.test.ts',
    test: 'an API user with a name that is older than a rule can be disabled and renamed',
  },
  h50: {
    mend: 'a8bc83b',
    file: 'packages/client/test/event-listener.test.ts',
    test: 'a listener that throws or rejects costs no token and ends no process',
    failure: 'the log is away',
  },
  h51: {
    mend: '1617e9f',
    file: 'packages/client/test/outage.test.ts',
    test: 'a single 500 after many refusals does not end a call',
    failure: '500 Internal Server Error',
  },
  h52: {
    mend: '84e22a1',
    file: 'packages/server/test/commands/cli-token.test.ts',
    test: 'mintmark token sends no secret by plain HTTP to another host',
  },
  h53: {
    mend: '3be2315',
    file: 'packages/server/test/runtime/signing-key-proof.test.ts',
    test: 'with a public key that is not JSON is not published, and log and doctor name it',
  },
  h54: {
    mend: '80c5978',
    file: 'packages/client/test/configuration.test.ts',
    test: 'each option with a wrong value is an error that names it and quotes the value',
    failure: 'http://[',
  },
};
