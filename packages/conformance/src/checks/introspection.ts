import type { Check } from '../check.ts';
import { needs, notApplicable } from '../not-judged.ts';
import type { Form } from '../client.ts';
import { expectJson, expectRefusal, expectStatus, expectValue, isText, listOf } from '../expect.ts';
import { FORGERIES } from '../forged-tokens.ts';
import { jsonOf, type HttpAnswer } from '../http-exchange.ts';
import { formRequest, type Probe } from '../probe.ts';
import { quoted } from '../quoted.ts';

const UNKNOWN_TOKEN = 'mintmark-conformance-unknown-token';

async function introspect(probe: Probe, form: Form): Promise<HttpAnswer> {
  const answer = await probe.post(probe.endpoint('introspection'), form);
  if (answer.status === 403) needs('a client that may introspect: the server answered 403');
  if (jsonOf(answer)?.['error'] === 'unsupported_token_type')
    notApplicable('The server introspects no tokens of this type.');
  return answer;
}

/** What the server says about the client's first token. */
async function firstTokenReport(probe: Probe): Promise<Record<string, unknown>> {
  probe.endpoint('introspection');
  const { token } = await probe.firstToken();
  return jsonOf(await introspect(probe, { token })) ?? {};
}

/** Says nothing about inactive tokens unless an active one is recognised. */
async function needsActive(probe: Probe): Promise<void> {
  await probe.baseline('introspection', async () =>
    expectValue('active', (await firstTokenReport(probe))['active'], true),
  );
}

function expectInactive(answer: HttpAnswer): string | null {
  return expectStatus(answer, [200]) ?? expectValue('active', jsonOf(answer)?.['active'], false);
}

export const INTROSPECTION_CHECKS: readonly Check[] = [
  {
    id: 'introspection-active',
    section: 'RFC 7662 §2.2',
    level: 'MUST',
    rule: 'A valid token is active: true, as a JSON boolean.',
    run: async (probe) => expectValue('active', (await firstTokenReport(probe))['active'], true),
  },
  {
    id: 'introspection-json',
    section: 'RFC 7662 §2.2',
    level: 'MUST',
    rule: 'The answer has the content type application/json.',
    run: async (probe) => expectJson(await introspect(probe, { token: UNKNOWN_TOKEN })),
  },
  {
    id: 'introspection-unknown',
    section: 'RFC 7662 §2.2',
    level: 'MUST',
    rule: 'A token that the server does not know is active: false, with status 200.',
    run: async (probe) => expectInactive(await introspect(probe, { token: UNKNOWN_TOKEN })),
  },
  {
    id: 'introspection-inactive-only',
    section: 'RFC 7662 §2.2',
    level: 'SHOULD',
    rule: 'The answer for an inactive token says nothing else about it.',
    async run(probe) {
      const members = Object.keys(jsonOf(await introspect(probe, { token: UNKNOWN_TOKEN })) ?? {});
      return members.length === 1 ? null : `The members are ${members.join(', ')}.`;
    },
  },
  {
    id: 'introspection-unauthenticated',
    section: 'RFC 7662 §2.1',
    level: 'MUST',
    rule: 'A caller without credentials learns nothing.',
    async run(probe) {
      const { token } = await probe.firstToken();
      const answer = await probe.post(probe.endpoint('introspection'), { token }, null);
      return expectStatus(answer, [400, 401, 403]);
    },
  },
  {
    id: 'introspection-wrong-secret',
    section: 'RFC 7662 §2.3; RFC 6749 §5.2',
    level: 'MUST',
    rule: 'A wrong secret in HTTP Basic gets 401 invalid_client.',
    async run(probe) {
      const { token } = await probe.firstToken();
      const caller = { client: probe.wrongSecret, method: 'basic' } as const;
      const answer = await probe.post(probe.endpoint('introspection'), { token }, caller);
      return expectRefusal(answer, [401], ['invalid_client']);
    },
  },
  {
    id: 'introspection-token-missing',
    section: 'RFC 7662 §2.1; RFC 6749 §5.2',
    level: 'MUST',
    rule: 'A request without token gets 400 invalid_request.',
    run: async (probe) => expectRefusal(await introspect(probe, {}), [400], ['invalid_request']),
  },
  {
    id: 'introspection-hint',
    section: 'RFC 7662 §2.1',
    level: 'MUST',
    rule: 'A wrong token_type_hint does not hide a token.',
    async run(probe) {
      probe.endpoint('introspection');
      const { token } = await probe.firstToken();
      const answer = await introspect(probe, { token, token_type_hint: 'refresh_token' });
      return expectValue('active', jsonOf(answer)?.['active'], true);
    },
  },
  {
    id: 'introspection-types',
    section: 'RFC 7662 §2.2',
    level: 'MUST',
    rule: 'exp, iat and nbf are whole seconds; scope, client_id, token_type, sub, iss and jti are texts.',
    async run(probe) {
      const report = await firstTokenReport(probe);
      const times = ['exp', 'iat', 'nbf'].filter(
        (name) => report[name] !== undefined && !Number.isInteger(report[name]),
      );
      const texts = ['scope', 'client_id', 'token_type', 'sub', 'iss', 'jti'].filter(
        (name) => report[name] !== undefined && typeof report[name] !== 'string',
      );
      const wrong = [...times, ...texts];
      return wrong.length === 0 ? null : wrong.map((name) => `${name} is ${quoted(report[name])}.`).join(' ');
    },
  },
  {
    id: 'introspection-claims',
    section: 'RFC 7662 §2.2',
    level: 'MUST',
    rule: 'The answer says of a JWT what the JWT says: iss, sub, client_id, exp, iat, jti, scope, aud.',
    async run(probe) {
      const { claims } = await probe.jwt();
      const report = await firstTokenReport(probe);
      const names = ['iss', 'sub', 'client_id', 'exp', 'iat', 'jti', 'scope'];
      const wrong = names.filter(
        (name) => claims[name] !== undefined && report[name] !== undefined && claims[name] !== report[name],
      );
      const isSameAudience =
        report['aud'] === undefined || audiences(report['aud']) === audiences(claims['aud']);
      if (wrong.length === 0 && isSameAudience) return null;
      return [...wrong, ...(isSameAudience ? [] : ['aud'])]
        .map((name) => `${name} is ${quoted(claims[name])} in the JWT and ${quoted(report[name])} here.`)
        .join(' ');
    },
  },
  {
    id: 'introspection-client',
    section: 'RFC 7662 §2.2',
    level: 'MAY',
    rule: 'The answer names the client and the scopes of an active token.',
    async run(probe) {
      const { scopes = [] } = probe.target.options;
      probe.endpoint('introspection');
      const { token } = await probe.issue(scopes.length > 0 ? { scope: scopes.join(' ') } : {});
      const report = jsonOf(await introspect(probe, { token })) ?? {};
      const missing = ['client_id', ...(scopes.length > 0 ? ['scope'] : [])].filter(
        (name) => !isText(report[name]),
      );
      return missing.length === 0 ? null : `Missing: ${missing.join(', ')}.`;
    },
  },
  {
    id: 'introspection-revoked',
    section: 'RFC 7662 §4; RFC 7009 §2.2',
    level: 'MUST',
    rule: 'A revoked token is inactive at once.',
    async run(probe) {
      await needsActive(probe);
      const revocation = probe.endpoint('revocation');
      const { token } = await probe.issue();
      await probe.post(revocation, { token });
      return expectInactive(await introspect(probe, { token }));
    },
  },
  ...(
    [
      ['changed', 'A token with a changed signature is inactive.', 'RFC 7662 §4'],
      ['none', 'A token whose algorithm was changed to none is inactive.', 'RFC 8725 §3.2; RFC 7662 §4'],
      ['stranger', 'A token that another key signed is inactive.', 'RFC 8725 §3.3; RFC 7662 §4'],
      [
        'embedded',
        'A token that brings its own key in its header is inactive.',
        'RFC 8725 §3.10; RFC 7662 §4',
      ],
      [
        'confused',
        'A token with a MAC that has the text of the public key as its secret is inactive.',
        'RFC 8725 §3.1; RFC 7662 §4',
      ],
    ] as const
  ).map(([forgery, rule, section]): Check => ({
    id: `introspection-forged-${forgery}`,
    section,
    level: 'MUST',
    rule,
    async run(probe) {
      await needsActive(probe);
      const jwt = await probe.jwt();
      const keys = forgery === 'confused' ? await probe.keySet() : [];
      return expectInactive(await introspect(probe, { token: FORGERIES[forgery](jwt, keys) }));
    },
  })),
  {
    id: 'introspection-get',
    section: 'RFC 7662 §2.1',
    level: 'MUST',
    rule: 'The request is a POST: GET with the token in the URL gets no answer about it.',
    async run(probe) {
      const { token } = await probe.firstToken();
      const url = `${probe.endpoint('introspection')}?token=${encodeURIComponent(token)}`;
      const { headers = {} } = formRequest(url, {}, probe.caller);
      const answer = await probe.send({ method: 'GET', url, headers });
      if (jsonOf(answer)?.['active'] === undefined) return null;
      return `The server answered active: ${quoted(jsonOf(answer)?.['active'])}.`;
    },
  },
];

/** One audience and a list of one are the same (RFC 7519 §4.1.3). */
function audiences(value: unknown): string {
  const list = typeof value === 'string' ? [value] : listOf(value);
  return quoted(list.map(String).toSorted((a, b) => a.localeCompare(b)));
}
