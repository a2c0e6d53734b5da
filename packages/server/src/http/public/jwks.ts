import type { FastifyInstance } from 'fastify';
import type { Config } from '../../config/config.ts';
import type { Keyring } from '../../runtime/signing-keys.ts';
import type { SleepWatch } from '../../runtime/sleep-watch.ts';
import { getOperation, text, type Description } from '../operation.ts';
import { JWKS_PATH } from '../paths.ts';
import { publicOperations, publicRoute } from './public-route.ts';

/** The key set (RFC 7517). Verifiers cache it for less time than a new key is announced before it signs. */
export function jwksRoute(
  app: FastifyInstance,
  { keyring, catchingUp, now }: { keyring: Keyring; now(): number } & Pick<SleepWatch, 'catchingUp'>,
  config: Pick<Config, 'basePath' | 'jwksMaxAgeSeconds'>,
): void {
  publicRoute(app, config.basePath + JWKS_PATH, async (request, reply) => {
    // Verifiers cache the answer. With a key set from before a sleep, they would accept a withdrawn key for
    // several more minutes.
    await catchingUp(now());
    const { body, etag } = keyring.jwks(now());
    reply.header('Cache-Control', `public, max-age=${config.jwksMaxAgeSeconds}`).header('ETag', etag);
    if (matches(request.headers['if-none-match'], etag)) return reply.code(304).send();
    return reply.type('application/jwk-set+json').send(body);
  });
}

/** True if a tag of `If-None-Match` matches in a weak comparison (RFC 9110 §13.1.2). `*` always matches. */
export function matches(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  return ifNoneMatch.split(',').some((tag) => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === etag);
}

export const JWKS_OPERATIONS: Description = publicOperations(
  'KeySet',
  getOperation(
    'getKeySet',
    'The keys that access tokens verify with (RFC 7517).',
    'KeySet',
    'application/jwk-set+json',
  ),
);

export const JWKS_SCHEMAS: Description = {
  KeySet: {
    type: 'object',
    required: ['keys'],
    properties: {
      keys: {
        type: 'array',
        items: {
          type: 'object',
          required: ['kty', 'kid', 'alg', 'use'],
          properties: {
            kty: text,
            kid: text,
            alg: text,
            use: { ...text, const: 'sig' },
            crv: text,
            x: text,
            y: text,
            n: text,
            e: text,
          },
          additionalProperties: false, // and so never a private member
        },
      },
    },
    additionalProperties: false,
  },
};
