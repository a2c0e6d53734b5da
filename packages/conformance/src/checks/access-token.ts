import { CLOCK_DIFFERENCE_SECONDS_MAX } from '../bounds.ts';
import type { Check } from '../check.ts';
import { needs, notApplicable } from '../not-judged.ts';
import { expectValue, isText } from '../expect.ts';
import { isSignedBy, parseJwt, SIGNATURE_ALGORITHMS } from '../jwt.ts';
import { quoted } from '../quoted.ts';

const TYPES = new Set(['at+jwt', 'application/at+jwt']);

function isWholeNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value);
}

/** `aud`: one text, or a list with at least one. */
function hasAudience(value: unknown): boolean {
  return isText(value) || (Array.isArray(value) && value.length > 0 && value.every(isText));
}

export const ACCESS_TOKEN_CHECKS: readonly Check[] = [
  {
    id: 'jwt-type',
    section: 'RFC 9068 §2.1; RFC 8725 §3.11',
    level: 'MUST',
    rule: 'The header of an access token has the type at+jwt, so that no other JWT passes for one.',
    async run(probe) {
      const { typ } = (await probe.jwt()).header;
      return TYPES.has(String(typ).toLowerCase()) ? null : `typ is ${quoted(typ)}.`;
    },
  },
  {
    id: 'jwt-signed',
    section: 'RFC 9068 §2.1; RFC 8725 §3.2',
    level: 'MUST',
    rule: 'An access token is signed: its algorithm is not none.',
    async run(probe) {
      const { header, signature } = await probe.jwt();
      const isUnsigned = String(header['alg']).toLowerCase() === 'none' || signature.length === 0;
      return isUnsigned ? `alg is ${quoted(header['alg'])}.` : null;
    },
  },
  {
    id: 'jwt-asymmetric',
    section: 'RFC 9068 §2.1',
    level: 'SHOULD',
    rule: 'An access token is signed with a key pair.',
    async run(probe) {
      const { alg } = (await probe.jwt()).header;
      return SIGNATURE_ALGORITHMS.includes(String(alg)) ? null : `alg is ${quoted(alg)}.`;
    },
  },
  {
    id: 'jwt-signature',
    section: 'RFC 9068 §4',
    level: 'MUST',
    rule: 'A key of the published key set verifies the signature of an access token.',
    async run(probe) {
      const jwt = await probe.jwt();
      const { kid } = jwt.header;
      const keys = (await probe.keySet()).filter((key) => kid === undefined || key['kid'] === kid);
      if (keys.length === 0) return `The key set has no key with the kid ${quoted(kid)}.`;
      return keys.some((key) => isSignedBy(jwt, key)) ? null : 'No published key verifies the signature.';
    },
  },
  {
    id: 'jwt-key-algorithm',
    section: 'RFC 8725 §3.1; RFC 7517 §4.4',
    level: 'MUST',
    rule: 'A published key signs with no other algorithm than the one that it names.',
    async run(probe) {
      const { header } = await probe.jwt();
      const key = (await probe.keySet()).find(({ kid }) => kid === header['kid']);
      if (key?.['alg'] === undefined) notApplicable('The key names no algorithm.');
      return expectValue('alg of the key', key['alg'], header['alg']);
    },
  },
  {
    id: 'jwt-iss',
    section: 'RFC 9068 §2.2, §4',
    level: 'MUST',
    rule: 'iss is the issuer of the metadata.',
    async run(probe) {
      const { claims } = await probe.jwt();
      const issuer = probe.target.discovery?.metadata['issuer'] ?? probe.target.options.url;
      return expectValue('iss', claims['iss'], issuer);
    },
  },
  {
    id: 'jwt-exp',
    section: 'RFC 9068 §2.2; RFC 7519 §4.1.4',
    level: 'MUST',
    rule: 'exp is a time in seconds, and in the future.',
    async run(probe) {
      const { exp } = (await probe.jwt()).claims;
      const isFuture = typeof exp === 'number' && exp > Date.now() / 1000 - CLOCK_DIFFERENCE_SECONDS_MAX;
      return isFuture && exp < 1e11 ? null : `exp is ${quoted(exp)}.`;
    },
  },
  {
    id: 'jwt-life',
    section: 'RFC 6749 §5.1',
    level: 'MUST',
    rule: 'exp agrees with expires_in, so that no client keeps a token for too long.',
    async run(probe) {
      const { body } = await probe.firstToken();
      const { exp, iat } = (await probe.jwt()).claims;
      const seconds = body['expires_in'];
      if (typeof seconds !== 'number') notApplicable('The response has no expires_in.');
      if (typeof exp !== 'number' || typeof iat !== 'number')
        notApplicable('The token lacks exp or iat as a number.');
      const difference = Math.abs(exp - iat - seconds);
      return difference <= CLOCK_DIFFERENCE_SECONDS_MAX
        ? null
        : `The token lives for ${exp - iat} s, and expires_in is ${seconds}.`;
    },
  },
  {
    id: 'jwt-iat',
    section: 'RFC 9068 §2.2; RFC 7519 §4.1.6',
    level: 'MUST',
    rule: 'iat is the time in seconds at which the token was issued.',
    async run(probe) {
      const { iat } = (await probe.jwt()).claims;
      // Rate limits may have made the run wait since the first token.
      const age = Date.now() / 1000 - Number(iat);
      const isNow = age > -CLOCK_DIFFERENCE_SECONDS_MAX && age < 600;
      return typeof iat === 'number' && isNow ? null : `iat is ${quoted(iat)}.`;
    },
  },
  {
    id: 'jwt-numbers',
    section: 'RFC 7519 §2',
    level: 'MUST',
    rule: 'exp, iat and nbf are JSON numbers.',
    async run(probe) {
      const { claims } = await probe.jwt();
      const wrong = ['exp', 'iat', 'nbf'].filter(
        (name) => claims[name] !== undefined && typeof claims[name] !== 'number',
      );
      return wrong.length === 0 ? null : wrong.map((name) => `${name} is ${quoted(claims[name])}.`).join(' ');
    },
  },
  {
    id: 'jwt-aud',
    section: 'RFC 9068 §2.2, §3; RFC 9700 §2.3',
    level: 'MUST',
    rule: 'aud names the API that a token is for, also if the request named none.',
    async run(probe) {
      const { aud } = (await probe.jwt()).claims;
      return hasAudience(aud) ? null : `aud is ${quoted(aud)}.`;
    },
  },
  {
    id: 'jwt-sub',
    section: 'RFC 9068 §2.2',
    level: 'MUST',
    rule: 'An access token has a sub.',
    async run(probe) {
      const { sub } = (await probe.jwt()).claims;
      return isText(sub) ? null : `sub is ${quoted(sub)}.`;
    },
  },
  {
    id: 'jwt-sub-client',
    section: 'RFC 9068 §2.2, §5',
    level: 'SHOULD',
    rule: 'sub identifies the client, because no user takes part.',
    async run(probe) {
      const { sub, client_id: clientId } = (await probe.jwt()).claims;
      return expectValue('sub', sub, clientId);
    },
  },
  {
    id: 'jwt-client-id',
    section: 'RFC 9068 §2.2',
    level: 'MUST',
    rule: 'client_id is the client that requested the token.',
    run: async (probe) => expectValue('client_id', (await probe.jwt()).claims['client_id'], probe.client.id),
  },
  {
    id: 'jwt-jti',
    section: 'RFC 9068 §2.2; RFC 7519 §4.1.7',
    level: 'MUST',
    rule: 'Each access token has a jti of its own.',
    async run(probe) {
      const first = (await probe.jwt()).claims['jti'];
      const second = parseJwt((await probe.issue()).token)?.claims['jti'];
      if (!isText(first) || !isText(second)) return `jti is ${quoted(first)}.`;
      return first === second ? `Two tokens have the jti ${quoted(first)}.` : null;
    },
  },
  {
    id: 'jwt-scope',
    section: 'RFC 9068 §2.2.3',
    level: 'SHOULD',
    rule: 'A token that was requested with a scope has the claim scope.',
    async run(probe) {
      await probe.jwt();
      const scope = probe.target.options.scopes?.[0] ?? needs('a scope of the client (--scope)');
      const { token } = await probe.issue({ scope });
      const claim = parseJwt(token)?.claims['scope'];
      return isText(claim) && claim.split(' ').includes(scope) ? null : `scope is ${quoted(claim)}.`;
    },
  },
  {
    id: 'jwt-whole-seconds',
    section: 'RFC 7662 §2.2',
    level: 'SHOULD',
    rule: 'exp and iat are whole seconds, as introspection reports them.',
    async run(probe) {
      const { exp, iat } = (await probe.jwt()).claims;
      return isWholeNumber(exp) && isWholeNumber(iat)
        ? null
        : `exp is ${quoted(exp)}, iat is ${quoted(iat)}.`;
    },
  },
];
