import Type from 'typebox';
import { SIGNING_ALGORITHMS } from '../../domain/signing-algorithm.ts';
import { listSigningKeys, rotateSigningKey } from '../../admin/signing-key.ts';
import type { AdminApp } from './admin-app.ts';
import { changeOf, type AdminContext } from './context.ts';
import { answerObject, closedObject, oneOf, ref } from './schema.ts';
import { signingKeyJson, signingKeySchema } from './signing-key.wire.ts';

const MODES = ['scheduled', 'now', 'compromised'] as const;
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
          200: answerObject('Those that were removed lately, too', {
            items: Type.Array(ref(signingKeySchema)),
          }),
        },
      },
    },
    async () => {
      const nowMs = context.now();
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
        body: closedObject({
          mode: Type.Optional(
            oneOf(
              MODES,
              'scheduled (left out): announced before it signs. now: signs at once. compromised: signs at once, and the ' +
                'tokens of all others are refused as soon as verifiers see it',
            ),
          ),
          algorithm: Type.Optional(oneOf(SIGNING_ALGORITHMS, 'Left out: that of the settings')),
        }),
        response: { 201: ref(signingKeySchema) },
      },
    },
    async (request, reply) => {
      const { masterKey, config } = context;
      const { mode = 'scheduled', algorithm = config.signingAlgorithm } = request.body;
      const rotation = { algorithm, schedule: config, mode };
      const key = await rotateSigningKey(changeOf(request, context), masterKey, rotation);
      reply.code(201);
      return signingKeyJson({ ...key, proven: true }, context.now());
    },
  );
}
