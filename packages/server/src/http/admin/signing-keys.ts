import Type from 'typebox';
import {
  SIGNING_ALGORITHMS,
  signingKeyState,
  type SigningAlgorithm,
  type SigningKey,
  type SigningKeyState,
} from '../../domain/signing-key.ts';
import type { AdminApp } from './admin-app.ts';
import { iso, nullable, oneOf, ref, shared, time, type Shared } from './schema.ts';

export interface SigningKeyServices {
  now(): number;
  signingKeys: {
    list(): Promise<SigningKey[]>;
  };
}

export interface SigningKeyJson {
  kid: string;
  algorithm: SigningAlgorithm;
  state: SigningKeyState;
  announced_at: string;
  activates_at: string;
  retires_at: string | null;
  removes_at: string | null;
}

const STATES = ['announced', 'active', 'retired', 'removed'] as const;

export const signingKeySchema: Shared<SigningKeyJson> = shared(
  'SigningKey',
  Type.Object(
    {
      kid: Type.String({ description: 'RFC 7638 thumbprint of the public key' }),
      algorithm: oneOf(SIGNING_ALGORITHMS, 'The `alg` of its tokens'),
      state: oneOf(STATES, 'At the time of the answer'),
      announced_at: time('Published from then on'),
      activates_at: time('Signs from then on'),
      retires_at: nullable(time('Signs no longer from then on; null: it has no successor yet')),
      removes_at: nullable(time('Published no longer from then on')),
    },
    { additionalProperties: false, description: 'A signing key, without its private part' },
  ),
);

export function signingKeyRoutes(app: AdminApp, { signingKeys, now }: SigningKeyServices): void {
  app.addSchema(signingKeySchema);
  app.get(
    '/signing-keys',
    {
      config: { needs: 'read' },
      schema: {
        operationId: 'listSigningKeys',
        summary: 'All signing keys, the oldest first.',
        tags: ['Signing keys'],
        response: {
          200: Type.Object(
            { items: Type.Array(ref(signingKeySchema)) },
            { additionalProperties: false, description: 'Those that were removed lately, too' },
          ),
        },
      },
    },
    async () => {
      const keys = await signingKeys.list();
      return { items: keys.map((key) => signingKeyJson(key, now())) };
    },
  );
}

export function signingKeyJson(key: SigningKey, nowMs: number): SigningKeyJson {
  return {
    kid: key.kid,
    algorithm: key.algorithm,
    state: signingKeyState(key, nowMs),
    announced_at: iso(key.announcedAt),
    activates_at: iso(key.activatesAt),
    retires_at: iso(key.retiresAt),
    removes_at: iso(key.removesAt),
  };
}
