import Type from 'typebox';
import {
  keySourceAddress,
  type KeySourceKind,
  type KeySourceState,
  type KeysState,
} from '../../domain/key-source.ts';
import { iso, nullable, oneOf, shared, time, type Shared } from './schema.ts';

// Key sources in JSON: whose public keys Mintmark fetches for keys and trust rules.

export interface KeySourceJson {
  kind: KeySourceKind;
  address: string;
  credential_ids: string[];
  state: KeysState;
  keys: number;
  left_out: number;
  fetched_at: string | null;
  tried_at: string | null;
  error: string | null;
}

const KINDS = ['issuer', 'url'] as const;
const STATES = ['current', 'old', 'away'] as const;

export const keySourceSchema: Shared<KeySourceJson> = shared(
  'KeySource',
  'A source of public keys, as the server that answers knows it',
  {
    kind: oneOf(KINDS, 'An issuer, by discovery, or the URL of a key set'),
    address: Type.String(),
    credential_ids: Type.Array(Type.String(), {
      description: 'The live keys and trust rules of the API user that name it',
    }),
    state: oneOf(
      STATES,
      'Fresh; older than their life, and used for a limited time; or none that can be used',
    ),
    keys: Type.Integer({ minimum: 0, description: 'Keys that can be used' }),
    left_out: Type.Integer({ minimum: 0, description: 'Keys that cannot be used' }),
    fetched_at: nullable(time('When the keys were fetched; null: never')),
    tried_at: nullable(time('When the last fetch ended; null: none has')),
    error: nullable(Type.String({ description: 'Why the last fetch failed; null: it succeeded' })),
  },
);

export function keySourceJson(state: KeySourceState, credentialIds: string[]): KeySourceJson {
  return {
    ...keySourceAddress(state.source),
    credential_ids: credentialIds,
    state: state.state,
    keys: state.keys,
    left_out: state.leftOut,
    fetched_at: iso(state.fetchedAt),
    tried_at: iso(state.triedAt),
    error: state.error,
  };
}
