import type { Check } from '../check.ts';
import { needs, notApplicable } from '../not-judged.ts';
import { formCredentials, formEncoded } from '../client.ts';
import { expectError, expectNoToken, expectRefusal, expectToken, isText } from '../expect.ts';
import { jsonOf, type HttpAnswer } from '../http-exchange.ts';
import { parseJwt } from '../jwt.ts';
import { formRequest, type Probe } from '../probe.ts';
import { quoted } from '../quoted.ts';

const UNKNOWN_GRANT_TYPE = 'urn:mintmark:conformance:unknown';
const UNKNOWN_SCOPE = 'mintmark-conformance-unknown';

function scopesOf(probe: Probe, atLeast: number): readonly string[] {
  const { scopes = [] } = probe.target.options;
  return scopes.length >= atLeast
    ? scopes
    : needs(`${atLeast === 1 ? 'a scope' : 'two scopes'} of the client (--scope)`);
}

/** The sorted scopes of a token: by its JWT, else by the response; null if neither has them. */
function grantedScopes(answer: HttpAnswer): readonly string[] | null {
  const body = jsonOf(answer);
  const claim = parseJwt(String(body?.['access_token']))?.claims['scope'];
  const scope = claim ?? body?.['scope'];
  return isText(scope) ? scope.split(' ').toSorted() : null;
}

export const TOKEN_REQUEST_CHECKS: readonly Check[] = [
  {
    id: 'token-issued',
    section: 'RFC 6749 §4.4.3',
    level: 'MUST',
    rule: 'A client with the right credentials gets a token for grant_type=client_credentials.',
    run: async (probe) => expectToken(await probe.token()),
  },
  {
    id: 'token-parameter-twice',
    section: 'RFC 6749 §3.2, §5.2',
    level: 'MUST',
    rule: 'A parameter that occurs twice makes the request invalid: 400 invalid_request.',
    async run(probe) {
      const form = { grant_type: 'client_credentials' };
      const request = formRequest(probe.target.endpoints.token, form, probe.caller);
      const body = `${request.body}&grant_type=client_credentials`;
      return expectRefusal(await probe.send({ ...request, body }), [400], ['invalid_request']);
    },
  },
  {
    id: 'token-parameter-empty',
    section: 'RFC 6749 §3.2',
    level: 'MUST',
    rule: 'A parameter without a value counts as left out.',
    run: async (probe) => expectToken(await probe.token({ scope: '' })),
  },
  {
    id: 'token-parameter-unknown',
    section: 'RFC 6749 §3.2',
    level: 'MUST',
    rule: 'The server ignores parameters that it does not know.',
    run: async (probe) => expectToken(await probe.token({ mintmark_conformance: 'unknown' })),
  },
  {
    id: 'token-grant-type-missing',
    section: 'RFC 6749 §4.4.2, §5.2',
    level: 'MUST',
    rule: 'A request without grant_type lacks a required parameter: 400 invalid_request.',
    run: async (probe) =>
      expectRefusal(
        await probe.post(probe.target.endpoints.token, { mintmark_conformance: 'no grant type' }),
        [400],
        ['invalid_request'],
      ),
  },
  {
    id: 'token-grant-type-unknown',
    section: 'RFC 6749 §5.2',
    level: 'MUST',
    rule: 'An unknown grant type gets 400 unsupported_grant_type.',
    run: async (probe) =>
      expectRefusal(await probe.token({ grant_type: UNKNOWN_GRANT_TYPE }), [400], ['unsupported_grant_type']),
  },
  {
    id: 'token-password-grant',
    section: 'RFC 9700 §2.4',
    level: 'MUST',
    rule: 'The grant type password is not usable.',
    run: async (probe) =>
      expectError(
        await probe.token({ grant_type: 'password', username: 'conformance', password: 'conformance' }),
        ['unsupported_grant_type', 'unauthorized_client'],
      ),
  },
  {
    id: 'token-get',
    section: 'RFC 6749 §3.2',
    level: 'MUST',
    rule: 'A token request is a POST: GET gets no token.',
    async run(probe) {
      const { token } = probe.target.endpoints;
      const query = formEncoded({ grant_type: 'client_credentials', ...formCredentials(probe.client) });
      return expectNoToken(await probe.send({ method: 'GET', url: `${token}?${query}` }));
    },
  },
  {
    id: 'token-credentials-in-url',
    section: 'RFC 6749 §2.3.1',
    level: 'MUST',
    rule: 'Credentials in the URL get no token.',
    async run(probe) {
      const url = `${probe.target.endpoints.token}?${formEncoded(formCredentials(probe.client))}`;
      return expectNoToken(await probe.post(url, { grant_type: 'client_credentials' }, null));
    },
  },
  {
    id: 'token-scope-unknown',
    section: 'RFC 6749 §3.3, §5.2',
    level: 'MUST',
    rule: 'An unknown scope gets 400 invalid_scope, or a token whose response names other scopes.',
    async run(probe) {
      const answer = await probe.token({ scope: UNKNOWN_SCOPE });
      if (answer.status !== 200) return expectRefusal(answer, [400], ['invalid_scope']);
      const scope = jsonOf(answer)?.['scope'];
      const isOther = typeof scope === 'string' && !scope.split(' ').includes(UNKNOWN_SCOPE);
      return isOther ? null : `A token was issued, and scope is ${quoted(scope)}.`;
    },
  },
  {
    id: 'token-scope-malformed',
    section: 'RFC 6749 §3.3, §5.2',
    level: 'MUST',
    rule: 'A scope with a quotation mark gets 400 with invalid_scope or invalid_request, or is not granted.',
    async run(probe) {
      const answer = await probe.token({ scope: 'conformance"scope' });
      if (answer.status !== 200) return expectRefusal(answer, [400], ['invalid_scope', 'invalid_request']);
      const scope = jsonOf(answer)?.['scope'];
      const isOther = typeof scope === 'string' && !scope.includes('"');
      return isOther ? null : `A token was issued, and scope is ${quoted(scope)}.`;
    },
  },
  {
    id: 'token-scope-case',
    section: 'RFC 6749 §3.3',
    level: 'MUST',
    rule: 'The case of letters matters in a scope.',
    async run(probe) {
      const [scope = ''] = scopesOf(probe, 1);
      const changed = scope.toUpperCase();
      if (changed === scope) notApplicable(`The scope ${quoted(scope)} has no small letters.`);
      const answer = await probe.token({ scope: changed });
      if (answer.status !== 200) return expectError(answer, ['invalid_scope']);
      const granted = grantedScopes(answer) ?? [];
      return granted.includes(scope) ? `${quoted(changed)} got the scope ${quoted(scope)}.` : null;
    },
  },
  {
    id: 'token-scope-order',
    section: 'RFC 6749 §3.3',
    level: 'MUST',
    rule: 'The order of scopes does not matter.',
    async run(probe) {
      const scopes = scopesOf(probe, 2);
      const both = [scopes.join(' '), scopes.toReversed().join(' ')];
      const granted: unknown[] = [];
      for (const scope of both) {
        const answer = await probe.token({ scope });
        const wrong = expectToken(answer);
        if (wrong !== null) return `${quoted(scope)}: ${wrong}`;
        granted.push(grantedScopes(answer));
      }
      const [first, second] = granted.map((each) => quoted(each));
      return first === second ? null : `The scopes are ${first} for one order and ${second} for the other.`;
    },
  },
  {
    id: 'token-scope-narrowed',
    section: 'RFC 6749 §3.3',
    level: 'MUST',
    rule: 'A request for one of several scopes gets a token with no other scope, or the response names the others.',
    async run(probe) {
      const [scope = ''] = scopesOf(probe, 2);
      const answer = await probe.token({ scope });
      const wrong = expectToken(answer);
      if (wrong !== null) return wrong;
      const body = jsonOf(answer);
      const claim = parseJwt(String(body?.['access_token']))?.claims['scope'];
      const response = body?.['scope'] ?? scope;
      if (claim === undefined) return isText(response) ? null : `scope is ${quoted(response)}.`;
      return claim === response
        ? null
        : `The token has the scope ${quoted(claim)}, and the response says ${quoted(response)}.`;
    },
  },
  {
    id: 'token-scope-default',
    section: 'RFC 6749 §3.3, §5.1',
    level: 'MUST',
    rule: 'A response to a request without scope says which scopes the token has.',
    async run(probe) {
      const { body } = await probe.firstToken();
      const { claims } = await probe.jwt();
      if (!isText(claims['scope'])) notApplicable('A token without requested scopes has none.');
      return body['scope'] === claims['scope']
        ? null
        : `The token has the scope ${quoted(claims['scope'])}, and scope in the response is ${quoted(body['scope'])}.`;
    },
  },
];
