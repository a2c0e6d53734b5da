import Type, { type TOptional, type TString, type TUnsafe } from 'typebox';
import { factsRecord, type CredentialRecord } from '../../domain/api-user-record.ts';
import {
  CREDENTIAL_KINDS,
  credentialState,
  retirementObjection,
  type Credential,
  type CredentialState,
} from '../../domain/credential.ts';
import {
  answerObject,
  iso,
  KINDS_TEXT,
  nullable,
  oneOf,
  ref,
  shared,
  text,
  time,
  timeInput,
  type Shared,
} from './schema.ts';
import { publicJwkSchema, trustRuleSchema } from './trust-rule.wire.ts';

// Credentials in JSON, without their digests.

export interface CredentialJson extends Omit<CredentialRecord, 'digest'> {
  client_id: string;
  state: CredentialState;
  retired_at: string | null;
  retire_when_quiet_from: string | null;
  last_used_at: string | null;
  last_used_address: string | null;
  use_count: number;
  /** RFC 7638, of a registered key. */
  thumbprint?: string;
  /** Of a trust rule. */
  last_subject?: string | null;
  /** Of a key or trust rule. */
  last_refusal?: CredentialRefusalJson | null;
  retirement_objection: string | null;
}

export interface CredentialRefusalJson {
  at: string;
  address: string;
  reason: string;
  detail: string | null;
}

const STATES = ['live', 'expired', 'retired'] as const;

const refusalSchema = Type.Unsafe<CredentialRefusalJson | null>({
  type: ['object', 'null'],
  description: 'Of a key or trust rule: the last assertion that it refused; null: none',
  properties: {
    at: time('As far as that is written'),
    address: Type.String(),
    reason: Type.String({ description: 'The exact reason, as in the log' }),
    detail: nullable(Type.String({ description: 'The check that failed, with its values' })),
  },
  required: ['at', 'address', 'reason', 'detail'],
  additionalProperties: false,
});

export const credentialSchema: Shared<CredentialJson> = shared(
  'Credential',
  'A credential, without the secret',
  {
    id: Type.String({ description: 'Of a secret: the ten characters after mms_' }),
    client_id: Type.String(),
    kind: oneOf(CREDENTIAL_KINDS, KINDS_TEXT),
    public_key: Type.Optional(publicJwkSchema),
    thumbprint: Type.Optional(Type.String({ description: 'Of a registered key (RFC 7638)' })),
    jwks_url: Type.Optional(Type.String({ description: 'Of a key: the URL of its key set' })),
    trust_rule: Type.Optional(trustRuleSchema),
    name: Type.String({ description: 'Where it is deployed' }),
    state: oneOf(STATES, 'At the time of the answer'),
    created_at: time('When it was made'),
    expires_at: nullable(time('From then on it is refused; null: never')),
    retired_at: nullable(time('From then on it is refused')),
    retire_when_quiet_from: nullable(
      time(
        'From then on it is retired once nothing used it for 25 hours and a newer credential was used; null: it is not',
      ),
    ),
    last_used_at: nullable(time('As far as that is written; null: never')),
    last_used_address: nullable(Type.String()),
    use_count: Type.Integer({ minimum: 0 }),
    last_subject: Type.Optional(
      nullable(Type.String({ description: 'Of a trust rule: `sub` of the last token that it accepted' })),
    ),
    last_refusal: Type.Optional(refusalSchema),
    retirement_objection: nullable(
      Type.String({ description: 'Why retiring it could break a live caller; null: it could not' }),
    ),
  },
);

export const secretText: TString = Type.String({
  description:
    'The generated secret, shown only once, and stored nowhere; left out if the credential is not a secret',
});
/** A new credential. If it is a secret, this answer alone shows it; a password is never shown. */
export interface CreatedCredentialJson {
  credential: CredentialJson;
  client_secret?: string;
  /** What callers must do from now on. */
  notice?: string;
}

export const createdCredentialSchema: TUnsafe<CreatedCredentialJson> = Type.Unsafe<CreatedCredentialJson>(
  answerObject('Made', {
    credential: ref(credentialSchema),
    client_secret: Type.Optional(secretText),
    notice: Type.Optional(Type.String({ description: 'Of a second key: what its callers must send' })),
  }),
);

/** `all`: all credentials of the same API user. */
export function credentialJson(
  credential: Credential,
  all: readonly Credential[],
  nowMs: number,
): CredentialJson {
  return {
    id: credential.id,
    client_id: credential.clientId,
    kind: credential.kind,
    name: credential.name,
    state: credentialState(credential, nowMs),
    created_at: iso(credential.createdAt),
    expires_at: iso(credential.expiresAt),
    retired_at: iso(credential.retiredAt),
    retire_when_quiet_from: iso(credential.retireWhenQuietFrom),
    last_used_at: iso(credential.lastUsedAt),
    last_used_address: credential.lastUsedAddress,
    use_count: credential.useCount,
    ...factsJson(credential),
    retirement_objection: retirementObjection(credential, all, nowMs),
  };
}

/** The members that only keys and trust rules have. */
function factsJson(credential: Credential): Partial<CredentialJson> {
  const { kind, facts, digest, lastSubject, lastRefusal } = credential;
  if (facts === null) return {};
  return {
    ...factsRecord(credential),
    ...('jwk' in facts && { thumbprint: digest }),
    ...(kind === 'trust' && { last_subject: lastSubject }),
    last_refusal:
      lastRefusal === null ? null : { ...lastRefusal, at: new Date(lastRefusal.at).toISOString() },
  };
}

/** Larger than the limit on names: the domain explains a refusal better than a schema does. */
const NAME_LENGTH_MAX = 1000;
/** Larger than the limit on passwords, for the same reason. */
const PASSWORD_BODY_LENGTH_MAX = 1000;

export const credentialNameInput: TString = text('Where it is deployed', NAME_LENGTH_MAX);
export const credentialExpiryInput: TOptional<TUnsafe<string | null>> = Type.Optional(
  nullable(timeInput('From then on it is refused; null, or left out: never')),
);
export const passwordInput: TOptional<TString> = Type.Optional(
  Type.String({
    maxLength: PASSWORD_BODY_LENGTH_MAX,
    writeOnly: true,
    description: 'A password of 12 to 128 characters that a person chose, instead of a generated secret',
  }),
);
