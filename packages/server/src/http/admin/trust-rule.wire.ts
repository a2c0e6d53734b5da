import Type, { type TUnsafe } from 'typebox';
import { TRUST_REUSES, type TrustRuleInput, type TrustRuleJson } from '../../domain/trust-rule-json.ts';
import type { PublicJwk } from '../../domain/trust-rule.ts';
import { answerObject, closedObject, nullable, oneOf, text } from './schema.ts';

// Trust rules and public keys in JSON.

/** Larger than the limits of domain/trust-rule-faults.ts, which explains a refusal better than a schema. */
const TEXT_LENGTH_MAX = 2000;
const VALUES_MAX = 100;
const KEYS_MAX = 100;

const value = {
  anyOf: [{ type: 'string', maxLength: TEXT_LENGTH_MAX }, { type: 'number' }, { type: 'boolean' }],
};

const claims = Type.Unsafe<TrustRuleJson['claims']>({
  type: 'object',
  description:
    'Other claims by name, or by JSON Pointer: a value, a list of which it is one, or {"prefix": …} of a text',
  additionalProperties: {
    anyOf: [
      ...value.anyOf,
      { type: 'array', items: value, maxItems: VALUES_MAX },
      {
        type: 'object',
        properties: { prefix: { type: 'string', maxLength: TEXT_LENGTH_MAX } },
        required: ['prefix'],
        additionalProperties: false,
      },
    ],
  },
});

const from = (literal: TrustRuleJson['keys']['from']) => ({ type: 'string', const: literal });

const keys = Type.Unsafe<TrustRuleJson['keys']>({
  description:
    'Where the public keys of the issuer come from: OpenID or RFC 8414 discovery, the URL of a key set, or the key set itself. Left out: discovery',
  anyOf: [
    closedObject({ from: Type.Unsafe(from('discovery')) }),
    closedObject({ from: Type.Unsafe(from('url')), url: text('The URL of the key set', TEXT_LENGTH_MAX) }),
    closedObject({
      from: Type.Unsafe(from('inline')),
      jwks: Type.Object({ keys: Type.Array(Type.Object({}), { maxItems: KEYS_MAX }) }),
    }),
  ],
});

const properties = {
  preset: nullable(text('Preset that it was made from', TEXT_LENGTH_MAX)),
  issuer: text('Equals `iss` exactly', TEXT_LENGTH_MAX),
  subject: text('Equals `sub` exactly; or a prefix that ends in `:` or `/`, and then `*`', TEXT_LENGTH_MAX),
  audience: text('Equals `aud`; left out: the issuer of this server', TEXT_LENGTH_MAX),
  other_audiences: Type.Boolean({ description: 'True: `aud` may name others, too' }),
  life_seconds_max: Type.Integer({ description: '`exp` minus `iat` is at most this' }),
  reuse: oneOf(TRUST_REUSES, 'Whether a token proves once, or until it expires'),
};

export const trustRuleInputSchema: TUnsafe<TrustRuleInput> = Type.Unsafe<TrustRuleInput>(
  closedObject(
    {
      ...Type.Partial(Type.Object({ ...properties, claims, keys })).properties,
      issuer: properties.issuer,
      subject: properties.subject,
    },
    { description: 'What tokens of another issuer must say to prove that they are of this API user' },
  ),
);

const anyObject = (description: string) => ({ type: 'object', description, additionalProperties: true });

export const trustRuleSchema: TUnsafe<TrustRuleJson> = Type.Unsafe<TrustRuleJson>(
  answerObject('Of a trust rule: what tokens of another issuer must say', {
    ...properties,
    claims: Type.Unsafe<TrustRuleJson['claims']>(anyObject('Other claims: a value, a list, or a prefix')),
    keys: Type.Unsafe<TrustRuleJson['keys']>(anyObject('Where the public keys of the issuer come from')),
  }),
);

export const publicJwkSchema: TUnsafe<PublicJwk> = Type.Unsafe<PublicJwk>(
  anyObject('Of a registered key: the public key as JWK (RFC 7517)'),
);
