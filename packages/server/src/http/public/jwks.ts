import type { Config } from '../../config/config.ts';
import type { Keyring } from '../../runtime/signing-keys.ts';
import type { SleepWatch } from '../../runtime/sleep-watch.ts';
import { getOperation, text, type Description } from '../operation.ts';
import { JWKS_PATH } from '../paths.ts';
import { notModified } from './document.ts';
import { publicOperations, publicRoute, type PublicRoute } from './public-route.ts';

/** The key set (RFC 7517). Verifiers cache it for less time than a new key is announced before it signs. */
export function jwksRoute(
  { keyring, catchingUp, now }: { keyring: Keyring; now(): number } & Pick<SleepWatch, 'catchingUp'>,
  config: Pick<Config, 'basePath' | 'jwksMaxAgeSeconds'>,
): PublicRoute {
  return publicRoute(config.basePath + JWKS_PATH, async (request) => {
    // Verifiers cache the answer. With a key set from before a sleep, they would accept a withdrawn key for
    // several more minutes.
    await catchingUp(now());
    const { body, etag } = keyring.jwks(now());
    const headers = ['Cache-Control', `public, max-age=${config.jwksMaxAgeSeconds}`, 'ETag', etag];
    if (matches(request.headers['if-none-match'], etag)) return notModified(headers);
    return { status: 200, headers, type: 'application/jwk-set+json; charset=utf-8', body };
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
