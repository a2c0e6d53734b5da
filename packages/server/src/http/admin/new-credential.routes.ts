import Type, { type Static } from 'typebox';
import type { Change } from '../../admin/audited.ts';
import { createPassword, createSecret } from '../../admin/credential.ts';
import { createKey } from '../../admin/key.ts';
import { createTrustRule } from '../../admin/trust-rule.ts';
import { confinedTo, type Actor } from '../../domain/actor.ts';
import { AppError } from '../../domain/app-error.ts';
import type { Credential } from '../../domain/credential.ts';
import { FETCH_FAILED_TEXT } from '../../domain/key-source.ts';
import { URL_LENGTH_MAX } from '../../domain/trust-rule-faults.ts';
import { trustRuleFromJson } from '../../domain/trust-rule-json.ts';
import type { KeySourceCheck } from '../../runtime/trusted-keys/check.ts';
import type { AdminApp } from './admin-app.ts';
import { apiUserPath } from './api-user.routes.ts';
import { repeatableChangeOf, type AdminContext } from './context.ts';
import {
  createdCredentialSchema,
  credentialExpiryInput,
  credentialJson,
  credentialNameInput,
  passwordInput,
} from './credential.wire.ts';
import { idempotencyParameter } from './preconditions.ts';
import { closedObject, millisecondsOf, text } from './schema.ts';
import { trustRuleInputSchema } from './trust-rule.wire.ts';

/** Larger than the limits of domain/, which explains a refusal better than a schema does. */
const KEY_TEXT_LENGTH_MAX = 32_768;

const newCredentialSchema = closedObject({
  name: credentialNameInput,
  expires_at: credentialExpiryInput,
  password: passwordInput,
  // Not `text`: PEM has line breaks.
  public_key: Type.Optional(
    Type.String({
      maxLength: KEY_TEXT_LENGTH_MAX,
      description:
        'A public key whose private key signs the assertions of the API user: PEM, JWK, or a JWKS with one key',
    }),
  ),
  jwks_url: Type.Optional(text('The URL of the key set of the API user', URL_LENGTH_MAX)),
  trust_rule: Type.Optional(trustRuleInputSchema),
  force: Type.Optional(Type.Boolean({ description: 'Makes a trust rule that lets in more than is safe' })),
});

export function createCredentialRoute(app: AdminApp, context: AdminContext): void {
  app.post(
    '/api-users/:client_id/credentials',
    {
      config: { needs: 'write', action: 'credential.create' },
      schema: {
        tags: ['Credentials'],
        operationId: 'createSecret',
        summary: 'Makes one more credential of an API user. A secret is shown only once.',
        description:
          'At most one of `password`, `public_key`, `jwks_url` and `trust_rule`; without one of them, a secret.',
        params: apiUserPath,
        headers: Type.Object(idempotencyParameter),
        body: newCredentialSchema,
        response: { 201: createdCredentialSchema },
      },
    },
    async (request, reply) => {
      reply.code(201);
      const owner = request.params.client_id;
      const { credential, ...rest } = await create(context, repeatableChangeOf(request, context), {
        owner,
        ...request.body,
      });
      return { credential: credentialJson(credential, [], context.now()), ...rest };
    },
  );
}

type NewCredentialInput = Static<typeof newCredentialSchema> & { owner: string };

interface Created {
  credential: Credential;
  client_secret?: string;
  notice?: string;
}

/** Creates a credential of the kind that the request names. */
async function create(context: AdminContext, change: Change, body: NewCredentialInput): Promise<Created> {
  refuseSeveral(body);
  const checkKeySource = keySourceCheckFor(change.actor, context);
  const { password: chosen, public_key: publicKey, jwks_url: jwksUrl, trust_rule: rule } = body;
  const input = {
    owner: body.owner,
    name: body.name,
    expiresAt: millisecondsOf(body.expires_at, '/expires_at'),
  };
  if (chosen !== undefined) return { credential: await createPassword(change, input, chosen) };
  if (rule !== undefined) {
    const trust = { rule: trustRuleFromJson(rule, context.config.issuer), force: body.force === true };
    return { credential: await createTrustRule(change, input, trust, checkKeySource) };
  }
  const key = publicKey !== undefined ? { publicKey } : jwksUrl === undefined ? null : { jwksUrl };
  if (key !== null) {
    const { credential, notice } = await createKey(change, input, key, checkKeySource);
    return { credential, ...(notice !== null && { notice }) };
  }
  const { credential, secret } = await createSecret(change, input);
  return { credential, client_secret: secret };
}

/** What a fetch failed with may tell of the platform's network: members learn only that it failed. */
function keySourceCheckFor(
  actor: Actor,
  { checkKeySource, log }: Pick<AdminContext, 'checkKeySource' | 'log'>,
): KeySourceCheck {
  if (confinedTo(actor) === null) return checkKeySource;
  return async (source, member, nowMs) => {
    try {
      await checkKeySource(source, member, nowMs);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      log.info({ error: error.message, member: actor.id }, 'the keys that a member named cannot be fetched');
      const faults = [{ member, problem: FETCH_FAILED_TEXT }];
      throw new AppError('invalid', FETCH_FAILED_TEXT, { faults });
    }
  };
}

function refuseSeveral(body: NewCredentialInput): void {
  const named = (['password', 'public_key', 'jwks_url', 'trust_rule'] as const).filter(
    (member) => body[member] !== undefined,
  );
  const [, second] = named;
  if (second === undefined) return;
  const problem = `Send one of ${named.join(', ')}: each is a credential by itself.`;
  throw new AppError('invalid', problem, { faults: [{ member: second, problem }] });
}
