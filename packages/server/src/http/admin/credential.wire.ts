import Type, { type TString, type TUnsafe } from 'typebox';
import type { CredentialRecord } from '../../domain/api-user-record.ts';
import {
  CREDENTIAL_KINDS,
  credentialState,
  retirementObjection,
  type Credential,
  type CredentialState,
} from '../../domain/credential.ts';
import { answerObject, iso, nullable, oneOf, ref, shared, time, type Shared } from './schema.ts';

// Credentials in JSON, without their digests.

export interface CredentialJson extends Omit<CredentialRecord, 'digest'> {
  client_id: string;
  state: CredentialState;
  retired_at: string | null;
  retire_when_quiet_from: string | null;
  last_used_at: string | null;
  last_used_address: string | null;
  use_count: number;
  retirement_objection: string | null;
}

const STATES = ['live', 'expired', 'retired'] as const;

export const credentialSchema: Shared<CredentialJson> = shared(
  'Credential',
  'A credential, without the secret',
  {
    id: Type.String({ description: 'Of a secret: the ten characters after mms_' }),
    client_id: Type.String(),
    kind: oneOf(CREDENTIAL_KINDS, 'Generated, or chosen by a person'),
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
    retirement_objection: nullable(
      Type.String({ description: 'Why retiring it could break a live caller; null: it could not' }),
    ),
  },
);

export const secretText: TString = Type.String({
  description:
    'The generated secret, shown this once, and stored nowhere; left out if the credential is a password',
});
/** A new credential. If it is a secret, this answer alone shows it; a password is never shown. */
export interface CreatedCredentialJson {
  credential: CredentialJson;
  client_secret?: string;
}

export const createdCredentialSchema: TUnsafe<CreatedCredentialJson> = Type.Unsafe<CreatedCredentialJson>(
  answerObject('Made', { credential: ref(credentialSchema), client_secret: Type.Optional(secretText) }),
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
    retirement_objection: retirementObjection(credential, all, nowMs),
  };
}
