import Type from 'typebox';
import { SIGNING_ALGORITHMS, type SigningAlgorithm } from '../../domain/signing-algorithm.ts';
import { signingKeyState, type SigningKey, type SigningKeyState } from '../../domain/signing-key.ts';
import { iso, nullable, oneOf, shared, time, type Shared } from './schema.ts';

/** `proven`: the row has a valid proof (signing-key-proof.ts). */
export type ListedSigningKey = SigningKey & { proven: boolean };

export interface SigningKeyJson {
  kid: string;
  algorithm: SigningAlgorithm;
  state: SigningKeyState;
  proven: boolean;
  announced_at: string;
  activates_at: string;
  retires_at: string | null;
  removes_at: string | null;
}

const STATES = ['announced', 'active', 'retired', 'removed'] as const;

export const signingKeySchema: Shared<SigningKeyJson> = shared(
  'SigningKey',
  'A signing key, without its private part',
  {
    kid: Type.String({ description: 'RFC 7638 thumbprint of the public key' }),
    algorithm: oneOf(SIGNING_ALGORITHMS, 'The `alg` of its tokens'),
    state: oneOf(STATES, 'At the time of the answer'),
    proven: Type.Boolean({
      description:
        'Whether its row has a valid proof. A key without one is neither published nor used, whatever its state; removed keys ' +
        'of earlier versions have none',
    }),
    announced_at: time('Published from then on'),
    activates_at: time('Signs from then on'),
    retires_at: nullable(time('Signs no longer from then on; null: it has no successor yet')),
    removes_at: nullable(time('Published no longer from then on')),
  },
);

export function signingKeyJson(key: ListedSigningKey, nowMs: number): SigningKeyJson {
  return {
    kid: key.kid,
    algorithm: key.algorithm,
    state: signingKeyState(key, nowMs),
    proven: key.proven,
    announced_at: iso(key.announcedAt),
    activates_at: iso(key.activatesAt),
    retires_at: iso(key.retiresAt),
    removes_at: iso(key.removesAt),
  };
}
