import Type from 'typebox';
import type { Actor } from '../../domain/actor.ts';
import { SIGNING_ALGORITHMS, type SigningAlgorithm } from '../../domain/signing-key.ts';
import type { Rotation } from '../../admin/signing-key.ts';
import { actorOf, type AdminApp } from './admin-app.ts';
import { oneOf, ref } from './schema.ts';
import { signingKeyJson, signingKeySchema, type ListedSigningKey } from './signing-key.wire.ts';

export interface SigningKeyServices {
  now(): number;
  signingKeys: {
    list(): Promise<ListedSigningKey[]>;
    /** Null: the configured algorithm. Throws a Refused where a successor is announced already. */
    rotate(by: Actor, mode: Rotation['mode'], algorithm: SigningAlgorithm | null): Promise<ListedSigningKey>;
  };
}

const MODES = ['scheduled', 'now', 'compromised'] as const;
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
      const { mode = 'scheduled', algorithm = null } = request.body;
      const key = await signingKeys.rotate(actorOf(request), mode, algorithm);
      reply.code(201);
      return signingKeyJson(key, now());
    },
  );
}
