import Type, { type TInteger, type TLiteral, type TObject, type TOptional, type TString } from 'typebox';
import { existingApiUser } from '../../admin/api-user.ts';
import { retireCredential, updateCredential } from '../../admin/credential.ts';
import { cutOff, resetCredentials, type Reset } from '../../admin/reset-credentials.ts';
import { AppError } from '../../domain/app-error.ts';
import { actorOf, type AdminApp } from './admin-app.ts';
import { apiUserPath, force, revokeTokens } from './api-user.routes.ts';
import {
  credentialExpiryInput,
  credentialJson,
  credentialNameInput,
  credentialSchema,
  passwordInput,
  secretText,
} from './credential.wire.ts';
import { createCredentialRoute } from './new-credential.routes.ts';
import { changeOf, repeatableChangeOf, type AdminContext } from './context.ts';
import { idempotencyParameter } from './preconditions.ts';
import { answerObject, closedObject, millisecondsOf, ref, text } from './schema.ts';

const TAG = { tags: ['Credentials'] };
/** Larger than the limits on ids and names: the domain explains a refusal better than a schema does. */
const ID_LENGTH_MAX = 100;
/** The longest time that old secrets can stay live beside a new one: ten years. */
const OVERLAP_SECONDS_MAX = 315_360_000;

const credentialPath: TObject<{ id: TString }> = Type.Object({
  id: text('Id of the credential', ID_LENGTH_MAX),
});
const [name, expiresAt, password] = [credentialNameInput, credentialExpiryInput, passwordInput];

/** How the old credentials of a reset end: one of the two. */
export const overlapInput: { overlap_seconds: TOptional<TInteger>; when_quiet: TOptional<TLiteral<true>> } = {
  overlap_seconds: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: OVERLAP_SECONDS_MAX,
      description: 'How long the old credentials still work; 0: they are retired at once',
    }),
  ),
  when_quiet: Type.Optional(
    Type.Literal(true, {
      description: 'Retires each old credential once nothing used it for 25 hours and a newer one was used',
    }),
  ),
};

export function credentialRoutes(app: AdminApp, context: AdminContext): void {
  listRoute(app, context);
  createCredentialRoute(app, context);
  resetRoute(app, context);
  changeRoute(app, context);
  retireRoute(app, context);
  cutOffRoute(app, context);
}

function listRoute(app: AdminApp, context: AdminContext): void {
  app.get(
    '/api-users/:client_id/credentials',
    {
      config: { needs: 'read' },
      schema: {
        ...TAG,
        operationId: 'listCredentials',
        summary: 'The credentials of an API user, the oldest first.',
        params: apiUserPath,
        response: {
          200: answerObject('Those that ended lately, too', { items: Type.Array(ref(credentialSchema)) }),
        },
      },
    },
    async (request) => {
      const { client_id: owner } = request.params;
      const { clientId } = await existingApiUser(context.store, owner, actorOf(request));
      const all = await context.store.credentials.listOf(clientId);
      return { items: all.map((credential) => credentialJson(credential, all, context.now())) };
    },
  );
}

function resetRoute(app: AdminApp, context: AdminContext): void {
  app.post(
    '/api-users/:client_id/reset',
    {
      config: { needs: 'write', action: 'credential.reset' },
      schema: {
        ...TAG,
        operationId: 'resetCredentials',
        summary: 'Makes a new secret or password, and ends the credentials that are live.',
        description:
          'The live credentials end after `overlap_seconds`, or when nothing uses them any more (`when_quiet`): send one ' +
          'of the two. A new password ends a live password at once, because only one may be live.',
        params: apiUserPath,
        headers: Type.Object(idempotencyParameter),
        body: closedObject({
          name,
          password,
          ...overlapInput,
          end_password: Type.Optional(
            Type.Boolean({
              description: 'A live password ends as the secrets do, too; a new password ends it in any case',
            }),
          ),
          expires_at: expiresAt,
          force: Type.Optional(force),
          revoke_tokens: Type.Optional(revokeTokens),
        }),
        response: {
          201: answerObject('Made', {
            credential: ref(credentialSchema),
            client_secret: Type.Optional(secretText),
            ending: Type.Array(ref(credentialSchema), { description: 'The old ones, and when they end' }),
          }),
        },
      },
    },
    async (request, reply) => {
      const { body } = request;
      const input: Reset = {
        owner: request.params.client_id,
        name: body.name,
        expiresAt: millisecondsOf(body.expires_at, '/expires_at'),
        password: body.password,
        endPassword: body.end_password === true,
        overlapMs: overlapOf(body),
        force: body.force === true,
        revoke: body.revoke_tokens === true,
      };
      const { ending, ...created } = await resetCredentials(repeatableChangeOf(request, context), input);
      const all = [created.credential, ...ending];
      reply.code(201);
      return {
        credential: credentialJson(created.credential, all, context.now()),
        ...(created.secret !== null && { client_secret: created.secret }),
        ending: ending.map((credential) => credentialJson(credential, all, context.now())),
      };
    },
  );
}

/** Seconds until the old credentials end. Null: they end when quiet. */
export function overlapOf(body: { overlap_seconds?: number; when_quiet?: true }): number | null {
  const { overlap_seconds: seconds, when_quiet: whenQuiet } = body;
  if ((seconds === undefined) === (whenQuiet === undefined)) {
    const problem = 'Send either overlap_seconds or when_quiet, which say how the old credentials end.';
    throw new AppError('invalid', problem, { faults: [{ member: 'overlap_seconds', problem }] });
  }
  return seconds === undefined ? null : seconds * 1000;
}

function changeRoute(app: AdminApp, context: AdminContext): void {
  app.patch(
    '/credentials/:id',
    {
      config: { needs: 'write', action: 'credential.update' },
      schema: {
        ...TAG,
        operationId: 'changeCredential',
        summary: 'Renames a credential, or lets it expire at another time.',
        params: credentialPath,
        body: closedObject({ name: Type.Optional(name), expires_at: expiresAt }, { minProperties: 1 }),
        response: { 200: ref(credentialSchema) },
      },
    },
    async (request) => {
      const { name: called, expires_at: ends } = request.body;
      const changes = {
        ...(called !== undefined && { name: called }),
        ...(ends !== undefined && { expiresAt: millisecondsOf(ends, '/expires_at') }),
      };
      const changed = await updateCredential(changeOf(request, context), request.params.id, changes);
      return credentialJson(changed, await context.store.credentials.listOf(changed.clientId), context.now());
    },
  );
}

function retireRoute(app: AdminApp, context: AdminContext): void {
  app.post(
    '/credentials/:id/retire',
    {
      config: { needs: 'write', action: 'credential.retire' },
      schema: {
        ...TAG,
        operationId: 'retireCredential',
        summary: 'Makes a credential useless at once.',
        description:
          'Refused with the code `unsafe` where that could break a live caller, unless it is forced.',
        params: credentialPath,
        body: closedObject({ force: Type.Optional(force), revoke_tokens: Type.Optional(revokeTokens) }),
        response: { 200: ref(credentialSchema) },
      },
    },
    async (request) => {
      const { force: forced = false, revoke_tokens: revoke = false } = request.body;
      const change = changeOf(request, context);
      const retired = await retireCredential(change, request.params.id, { force: forced, revoke });
      return credentialJson(retired, [], context.now());
    },
  );
}

function cutOffRoute(app: AdminApp, context: AdminContext): void {
  app.post(
    '/api-users/:client_id/cut-off',
    {
      config: { needs: 'write', action: 'credential.cut_off' },
      schema: {
        ...TAG,
        operationId: 'cutOff',
        summary: 'After a leak: ends credentials at once, whoever uses them, and revokes all tokens.',
        params: apiUserPath,
        headers: Type.Object(idempotencyParameter),
        body: closedObject({
          credential_id: Type.Optional(
            text('The one that leaked; left out: all that are live', ID_LENGTH_MAX),
          ),
          new_secret: Type.Optional(Type.Boolean({ description: 'Also makes a fresh secret' })),
        }),
        response: {
          200: answerObject('Cut off', {
            retired: Type.Array(ref(credentialSchema)),
            credential: Type.Optional(ref(credentialSchema)),
            client_secret: Type.Optional(secretText),
          }),
        },
      },
    },
    async (request) => {
      const { credential_id: credentialId = null, new_secret: newSecret = false } = request.body;
      const owner = request.params.client_id;
      const input = { credentialId, newSecret };
      const { retired, replacement } = await cutOff(repeatableChangeOf(request, context), owner, input);
      return {
        retired: retired.map((credential) => credentialJson(credential, [], context.now())),
        ...(replacement !== null && {
          credential: credentialJson(replacement.credential, [], context.now()),
          client_secret: replacement.secret,
        }),
      };
    },
  );
}
