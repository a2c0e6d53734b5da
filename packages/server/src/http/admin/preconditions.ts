import { hash } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import Type, { type TOptional, type TString } from 'typebox';
import type { Idempotency } from '../../domain/idempotency.ts';
import { Problem } from './problem.ts';

/** The version of an API user or organisation as a strong entity tag (RFC 9110 §8.8.3). */
export function setEtag(reply: FastifyReply, { version }: { version: number }): void {
  reply.header('ETag', `"${version}"`);
}

export const etagHeader: { ETag: TString } = {
  ETag: Type.String({ description: 'The version: send it as If-Match with a change' }),
};

export const ifMatchParameter: { 'if-match': TOptional<TString> } = {
  'if-match': Type.Optional(
    Type.String({
      maxLength: 1000,
      description: 'The ETag that the change was made from; `*`: whatever it is',
    }),
  ),
};

export const idempotencyParameter: { 'idempotency-key': TOptional<TString> } = {
  'idempotency-key': Type.Optional(
    Type.String({
      pattern: '^[\\x21-\\x7e]{1,200}$',
      description:
        'A text of your choice. The same request with the same key is done once only, for 24 hours',
    }),
  ),
};

/**
 * The versions that `If-Match` names; empty if no tag has our form; undefined if any version matches. The
 * comparison is strong (RFC 9110 §13.1.1), so weak tags never match.
 */
export function ifMatch({ headers }: FastifyRequest): readonly number[] | undefined {
  const header = headers['if-match'];
  if (header === undefined || header.trim() === '*') return undefined;
  return header.split(',').flatMap((tag) => {
    const [, version] = /^"([1-9]\d{0,15})"$/.exec(tag.trim()) ?? [];
    return version === undefined ? [] : [Number(version)];
  });
}

/** Like `ifMatch`, but throws a Problem if the header is missing. */
export function requiredIfMatch(request: FastifyRequest): readonly number[] | undefined {
  if (request.headers['if-match'] !== undefined) return ifMatch(request);
  throw new Problem(
    'precondition_required',
    'Send If-Match with the ETag of what the change was made from, so that nobody else’s change is lost.',
  );
}

/**
 * Leaves passwords and passphrases out: the store keeps the digest, and read access to a fast digest would
 * allow guesses.
 */
function withoutPassword(member: string, value: unknown): unknown {
  return member === 'password' || member === 'passphrase' ? null : value;
}

/** The `Idempotency-Key` and the digest of the request; undefined without the header. */
export function idempotencyOf(request: FastifyRequest): Idempotency | undefined {
  const key = request.headers['idempotency-key'];
  if (typeof key !== 'string') return undefined;
  const content = JSON.stringify([request.method, request.url, request.body ?? null], withoutPassword);
  return { key, request: hash('sha256', content, 'base64url') };
}
