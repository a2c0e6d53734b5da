import Type from 'typebox';
import { SIGNING_ALGORITHMS, type SigningAlgorithm } from '../../domain/signing-algorithm.ts';
import { signingKeyState, type SigningKey, type SigningKeyState } from '../../domain/signing-key.ts';
import { listSigningKeys, rotateSigningKey } from '../../admin/signing-key.ts';
import type { AdminApp } from './admin-app.ts';
import { changeOf, type AdminContext } from './context.ts';
import { iso, nullable, oneOf, ref, shared, time, type Shared } from './schema.ts';

/** `proven`: its row has a valid proof (signing-key-proof.ts). */
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

const MODES = ['scheduled', 'now', 'compromised'] as const;
const STATES = ['announced', 'active', 'retired', 'removed'] as const;

export const signingKeySchema: Shared<SigningKeyJson> = shared(
  'SigningKey',
  Type.Object(
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
    { additionalProperties: false, description: 'A signing key, without its private part' },
  ),
);

export function signingKeyRoutes(app: AdminApp, context: AdminContext): void {
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
      const nowMs = Date.now();
      const keys = await listSigningKeys(context.store, context.masterKey, nowMs);
      return { items: keys.map((key) => signingKeyJson(key, nowMs)) };
    },
  );
  app.post(
    '/signing-keys/rotate',
    {
      config: { needs: 'admin', action: 'signing_key.rotate' },
      schema: {
        operationId: 'rotateSigningKey',
        summary: 'Makes the successor of the active signing key.',
        tags: ['Signing keys'],
        body: Type.Object(
          {
            mode: Type.Optional(
              oneOf(
                MODES,
                'scheduled (left out): announced before it signs. now: signs at once. compromised: signs at once, and the ' +
                  'tokens of all others are refused as soon as verifiers see it',
              ),
            ),
            algorithm: Type.Optional(oneOf(SIGNING_ALGORITHMS, 'Left out: that of the settings')),
          },
          { additionalProperties: false },
        ),
        response: { 201: ref(signingKeySchema) },
      },
    },
    async (request, reply) => {
      const { masterKey, config } = context;
      const { mode = 'scheduled', algorithm = config.signingAlgorithm } = request.body;
      const rotation = { algorithm, schedule: config, mode };
      const key = await rotateSigningKey(changeOf(request, context), masterKey, rotation);
      reply.code(201);
      return signingKeyJson({ ...key, proven: true }, Date.now());
    },
  );
}

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
