import type { Entry } from './reproduction.ts';

/** Entries k1 and on: found while keys and trust rules were built. */
export const assertions: Readonly<Record<string, Entry>> = {
  k1: {
    mend: '8ba0d07',
    file: 'packages/server/test/oauth/slow-issuer.test.ts',
    test: 'strangers who name a slow issuer stop no caller with a secret',
    failure: '503 503 503 503',
  },
  k2: {
    mend: '4866735',
    file: 'packages/server/test/storage/used-assertions.test.ts',
    test: 'a clock that jumps ahead for a while forgets no assertion',
    failure: "'new' !== 'used'",
  },
  k3: {
    mend: '6e25c60',
    file: 'packages/server/test/oauth/assertion-keys.test.ts',
    test: 'assertions beyond the limit of calls stay unused and fill no memory',
    failure: '+   503,',
  },
  k4: {
    mend: '6845d62',
    file: 'packages/server/test/oauth/assertion-trust-rules.test.ts',
    test: 'keys of one’s own for an issuer that is away reveal no rule',
    failure: '403 !== 503',
  },
  k5: {
    mend: '4b75e63',
    file: 'packages/server/test/admin/refused-keys.test.ts',
    test: 'a refused key or trust rule is on record, without a secret',
    failure: "'done' !== 'refused'",
  },
  k6: {
    mend: '120f092',
    file: 'packages/server/test/domain/public-key.test.ts',
    test: 'a private key in a form that people copy is refused as leaked',
    failure: '/^This is a private key',
  },
  k7: {
    mend: 'b9600fe',
    file: 'packages/server/test/admin/refused-keys.test.ts',
    test: 'an imported key or trust rule has the bounds of a created one',
    failure: "note: 'x'",
  },
  k8: {
    mend: '6e25c60',
    file: 'packages/server/test/oauth/assertion-keys.test.ts',
    test: 'a username in iss and sub proves nothing',
    failure: '200 !== 403',
  },
  k9: { notReproducible: 'the test passes on the code before the mend too.' },
  k10: {
    mend: 'df08210',
    file: 'packages/server/test/runtime/withdrawn-keys.test.ts',
    test: 'a withdrawn key is gone at once, whatever the clock',
    failure: 'it publishes the successor alone',
  },
  k11: {
    mend: 'f2381e8',
    file: 'packages/server/test/runtime/retired-by-any-clock.test.ts',
    test: 'a retired credential is refused at once, whatever the clock',
    failure: 'retired_secret',
  },
  k12: { notReproducible: 'the test hands two clocks to the feed, and the code before took one.' },
  k13: {
    mend: 'f038457',
    file: 'packages/server/test/nodes/assertions.test.ts',
    test: 'is used once, also by a node whose clock is behind',
    failure: '1 !== 0',
  },
  k14: { notReproducible: 'a difference of 4 µs shows on few machines, and the test allows up to 6.' },
};
