import type { Check } from '../check.ts';
import { needs, notApplicable } from '../not-judged.ts';
import { challengeOf, expectChallenge, expectStatus } from '../expect.ts';
import { FORGERIES } from '../forged-tokens.ts';
import type { HttpAnswer } from '../http-exchange.ts';
import type { Probe } from '../probe.ts';
import { quoted } from '../quoted.ts';

async function get(probe: Probe, authorization: string | null): Promise<HttpAnswer> {
  const url = protectedUrl(probe);
  const headers = authorization === null ? {} : { Authorization: authorization };
  return await probe.send({ method: 'GET', url, headers });
}

function protectedUrl({ target }: Probe): string {
  const { protectedUrl: url } = target.options;
  if (url === 'none') notApplicable('The server protects no URL with its tokens.');
  return url ?? needs('a URL that requires an access token, or none (--protected-url)');
}

function expectWelcome({ status }: HttpAnswer): string | null {
  return status >= 200 && status < 300 ? null : `The status is ${status} instead of 2xx.`;
}

/** Judges no refusal unless a right token opens the URL. */
async function needsWelcome(probe: Probe): Promise<void> {
  protectedUrl(probe);
  const { token } = await probe.firstToken();
  await probe.baseline('a token', async () => expectWelcome(await get(probe, `Bearer ${token}`)));
}

const INVALID_TOKEN = /\berror\s*=\s*"invalid_token"/;

export const BEARER_CHECKS: readonly Check[] = [
  {
    id: 'bearer-header',
    section: 'RFC 6750 §2.1',
    level: 'MUST',
    rule: 'A token in Authorization: Bearer is accepted.',
    async run(probe) {
      protectedUrl(probe);
      return expectWelcome(await get(probe, `Bearer ${(await probe.firstToken()).token}`));
    },
  },
  {
    id: 'bearer-scheme-case',
    section: 'RFC 9110 §11.1',
    level: 'MUST',
    rule: 'The case of letters does not matter in the scheme Bearer.',
    async run(probe) {
      protectedUrl(probe);
      return expectWelcome(await get(probe, `bEaReR ${(await probe.firstToken()).token}`));
    },
  },
  {
    id: 'bearer-missing',
    section: 'RFC 6750 §3',
    level: 'MUST',
    rule: 'A request without a token gets a challenge of the scheme Bearer in WWW-Authenticate.',
    async run(probe) {
      const answer = await get(probe, null);
      return expectStatus(answer, [401]) ?? expectChallenge(answer, 'Bearer');
    },
  },
  {
    id: 'bearer-missing-no-error',
    section: 'RFC 6750 §3.1',
    level: 'SHOULD',
    rule: 'The challenge for a request without a token has no error.',
    async run(probe) {
      const challenge = challengeOf(await get(probe, null), 'Bearer') ?? '';
      return /\berror\s*=/.test(challenge) ? `The challenge is ${quoted(challenge)}.` : null;
    },
  },
  {
    id: 'bearer-invalid-status',
    section: 'RFC 6750 §3.1',
    level: 'SHOULD',
    rule: 'An invalid token gets 401.',
    run: async (probe) => expectStatus(await get(probe, 'Bearer mintmark-conformance'), [401]),
  },
  {
    id: 'bearer-invalid-challenge',
    section: 'RFC 6750 §3',
    level: 'MUST',
    rule: 'An invalid token gets a challenge of the scheme Bearer.',
    run: async (probe) => expectChallenge(await get(probe, 'Bearer mintmark-conformance'), 'Bearer'),
  },
  {
    id: 'bearer-invalid-error',
    section: 'RFC 6750 §3.1',
    level: 'SHOULD',
    rule: 'The challenge for an invalid token has the error invalid_token.',
    async run(probe) {
      const challenge = challengeOf(await get(probe, 'Bearer mintmark-conformance'), 'Bearer');
      return INVALID_TOKEN.test(challenge ?? '')
        ? null
        : `The challenge is ${quoted(challenge ?? undefined)}.`;
    },
  },
  {
    id: 'bearer-in-url',
    section: 'RFC 9700 §4.3.2; RFC 6750 §2.3',
    level: 'SHOULD',
    rule: 'A token in the URL opens nothing.',
    async run(probe) {
      await needsWelcome(probe);
      const url = new URL(protectedUrl(probe));
      url.searchParams.set('access_token', (await probe.firstToken()).token);
      const { status } = await probe.send({ method: 'GET', url: url.href });
      return status >= 400 ? null : `The status is ${status}.`;
    },
  },
  ...(
    [
      ['changed', 'A token with a changed signature is refused.', 'RFC 9068 §4'],
      ['none', 'A token whose algorithm was changed to none is refused.', 'RFC 9068 §4; RFC 8725 §3.2'],
      ['stranger', 'A token that another key signed is refused.', 'RFC 9068 §4; RFC 8725 §3.3'],
      ['embedded', 'A token that brings its own key in its header is refused.', 'RFC 8725 §3.10'],
      [
        'confused',
        'A token with a MAC that has the text of the public key as its secret is refused.',
        'RFC 8725 §3.1',
      ],
    ] as const
  ).map(([forgery, rule, section]): Check => ({
    id: `bearer-forged-${forgery}`,
    section,
    level: 'MUST',
    rule,
    async run(probe) {
      await needsWelcome(probe);
      const jwt = await probe.jwt();
      const keys = forgery === 'confused' ? await probe.keySet() : [];
      const { status } = await get(probe, `Bearer ${FORGERIES[forgery](jwt, keys)}`);
      return status >= 400 && status < 500 ? null : `The status is ${status} instead of 4xx.`;
    },
  })),
];
