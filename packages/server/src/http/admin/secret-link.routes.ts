import Type, { type Static, type TObject, type TString } from 'typebox';
import type { SecretLinkDenial } from '../../admin/open-secret-link.ts';
import {
  createSecretLink,
  listSecretLinks,
  removeSecretLink,
  type NewSecretLink,
} from '../../admin/secret-link.ts';
import { AppError } from '../../domain/app-error.ts';
import {
  LINK_SECONDS_DEFAULT,
  LINK_SECONDS_MAX,
  PASSPHRASE_LENGTH_MAX,
  PASSPHRASE_LENGTH_MIN,
  WRONG_PASSPHRASES_MAX,
  type SecretReset,
} from '../../domain/secret-link.ts';
import { actorOf, type AdminApp } from './admin-app.ts';
import { apiUserPath } from './api-user.routes.ts';
import { changeOf, repeatableChangeOf, type AdminContext } from './context.ts';
import { credentialExpiryInput, credentialNameInput } from './credential.wire.ts';
import { refuseWrongClock } from './gate.ts';
import { idempotencyParameter } from './preconditions.ts';
import { Problem, tooMany } from './problem.ts';
import { answerObject, closedObject, millisecondsOf, nothing, ref, text } from './schema.ts';
import {
  createdSecretLinkJson,
  createdSecretLinkSchema,
  openedSecretLinkJson,
  openedSecretLinkSchema,
  secretLinkJson,
  secretLinkOfferSchema,
  secretLinkSchema,
} from './secret-link.wire.ts';

const TAG = { tags: ['Credentials'] };
const ID_LENGTH_MAX = 100;

/** Larger than the limits of domain/, which explains a refusal better than a schema does. */
const PASSPHRASE_BODY_LENGTH_MAX = 1000;
const LINK_SECONDS_BODY_MAX = 1e9;
/** The longest time that old secrets can stay live beside a new one: ten years. */
const OVERLAP_SECONDS_MAX = 315_360_000;
const TOKEN_LENGTH_MAX = 200;

const newSecretLinkSchema = closedObject({
  name: credentialNameInput,
  expires_at: credentialExpiryInput,
  reset: Type.Optional(
    closedObject(
      {
        overlap_seconds: Type.Optional(
          Type.Integer({
            minimum: 1,
            maximum: OVERLAP_SECONDS_MAX,
            description: 'How long the old credentials still work after the link was opened',
          }),
        ),
        when_quiet: Type.Optional(
          Type.Literal(true, {
            description:
              'Retires each old credential once nothing used it for 25 hours and a newer one was used',
          }),
        ),
        end_password: Type.Optional(
          Type.Boolean({ description: 'A live password ends as the secrets do, too' }),
        ),
      },
      { description: 'Ends the live credentials once the link was opened. Left out: they stay' },
    ),
  ),
  link_seconds: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: LINK_SECONDS_BODY_MAX,
      description: `How long the link can be opened, at most ${LINK_SECONDS_MAX}; left out: ${LINK_SECONDS_DEFAULT}`,
    }),
  ),
  passphrase: Type.Optional(
    Type.String({
      maxLength: PASSPHRASE_BODY_LENGTH_MAX,
      writeOnly: true,
      description:
        `${PASSPHRASE_LENGTH_MIN} to ${PASSPHRASE_LENGTH_MAX} characters that the link also needs. Tell it another way ` +
        `than the link. After ${WRONG_PASSPHRASES_MAX} wrong ones the link opens nothing`,
    }),
  ),
});

const linkToken = Type.String({
  minLength: 1,
  maxLength: TOKEN_LENGTH_MAX,
  description: 'What follows `#` in the link',
});

const passphrase = Type.Optional(
  Type.String({
    maxLength: PASSPHRASE_BODY_LENGTH_MAX,
    writeOnly: true,
    description: 'If the link needs one',
  }),
);

const linkPath: TObject<{ client_id: TString; id: TString }> = Type.Object({
  ...apiUserPath.properties,
  id: text('Id of the link', ID_LENGTH_MAX),
});

/** The routes for operators: they make, list and remove links. */
export function secretLinkRoutes(app: AdminApp, context: AdminContext): void {
  app.addSchema(secretLinkSchema);
  createRoute(app, context);
  app.get(
    '/api-users/:client_id/secret-links',
    {
      config: { needs: 'read' },
      schema: {
        ...TAG,
        operationId: 'listSecretLinks',
        summary: 'The links of an API user that can still be opened, the oldest first.',
        params: apiUserPath,
        response: { 200: answerObject('All of them', { items: Type.Array(ref(secretLinkSchema)) }) },
      },
    },
    async (request) => {
      const { client_id: owner } = request.params;
      const links = await listSecretLinks(context.store, actorOf(request), owner, context.now());
      return { items: links.map(secretLinkJson) };
    },
  );
  app.delete(
    '/api-users/:client_id/secret-links/:id',
    {
      config: { needs: 'write', action: 'secret_link.remove' },
      schema: {
        ...TAG,
        operationId: 'removeSecretLink',
        summary: 'Removes a link, which then opens nothing.',
        params: linkPath,
        response: { 204: nothing('Removed') },
      },
    },
    async (request, reply) => {
      const { client_id: owner, id } = request.params;
      await removeSecretLink(changeOf(request, context), owner, id);
      return reply.code(204).send(null);
    },
  );
}

function createRoute(app: AdminApp, context: AdminContext): void {
  app.post(
    '/api-users/:client_id/secret-links',
    {
      config: { needs: 'write', action: 'secret_link.create' },
      schema: {
        ...TAG,
        operationId: 'createSecretLink',
        summary:
          'Makes a one-time link that hands a new secret over, so that only its recipient sees the secret.',
        description:
          'The secret is made when the link is opened. With `reset` the live credentials end from then on, after ' +
          '`overlap_seconds` or when nothing uses them any more (`when_quiet`): send one of the two.',
        params: apiUserPath,
        headers: Type.Object(idempotencyParameter),
        body: newSecretLinkSchema,
        response: { 201: createdSecretLinkSchema },
      },
    },
    async (request, reply) => {
      const input = newLink(request.params.client_id, request.body);
      const created = await createSecretLink(repeatableChangeOf(request, context), input);
      reply.code(201);
      return createdSecretLinkJson(created, context.config.issuer);
    },
  );
}

function newLink(owner: string, body: Static<typeof newSecretLinkSchema>): NewSecretLink {
  return {
    owner,
    name: body.name,
    expiresAt: millisecondsOf(body.expires_at, '/expires_at'),
    reset: body.reset === undefined ? null : resetOf(body.reset),
    lifeSeconds: body.link_seconds ?? LINK_SECONDS_DEFAULT,
    passphrase: body.passphrase ?? null,
  };
}

function resetOf({
  overlap_seconds: seconds,
  when_quiet: whenQuiet,
  end_password: endPassword = false,
}: NonNullable<Static<typeof newSecretLinkSchema>['reset']>): SecretReset {
  if ((seconds === undefined) === (whenQuiet === undefined)) {
    const problem = 'Send either overlap_seconds or when_quiet, which say how the old credentials end.';
    throw new AppError('invalid', problem, { faults: [{ member: 'reset/overlap_seconds', problem }] });
  }
  return { overlapMs: seconds === undefined ? null : seconds * 1000, endPassword };
}

/** The routes for the holder of a link. A GET opens nothing: scanners of e-mails follow links. */
export function openSecretLinkRoutes(app: AdminApp, context: AdminContext): void {
  const { secretLinks, config, addressOf } = context;
  app.post(
    '/secret-links/inspect',
    {
      config: { needs: 'nothing' },
      schema: {
        ...TAG,
        operationId: 'inspectSecretLink',
        summary: 'What a link would make. Changes nothing.',
        body: closedObject({ token: linkToken }),
        response: { 200: secretLinkOfferSchema },
      },
    },
    async (request) => {
      const offer = await secretLinks.inspect(request.body.token, addressOf(request.raw));
      if ('denied' in offer) throw denialProblem(offer);
      const { user, needsPassphrase, expiresAt } = offer;
      return {
        api_user_name: user.name,
        needs_passphrase: needsPassphrase,
        expires_at: new Date(expiresAt).toISOString(),
      };
    },
  );
  app.post(
    '/secret-links/open',
    {
      config: { needs: 'nothing' },
      schema: {
        ...TAG,
        operationId: 'openSecretLink',
        summary: 'Makes the secret of a link, and shows it, once.',
        body: closedObject({ token: linkToken, passphrase }),
        response: { 200: openedSecretLinkSchema },
      },
    },
    async (request) => {
      refuseWrongClock(context, 'write');
      const opened = await secretLinks.open(request.body, addressOf(request.raw));
      if ('denied' in opened) throw denialProblem(opened);
      return openedSecretLinkJson(opened, config.issuer);
    },
  );
}

function denialProblem(denial: SecretLinkDenial): Problem {
  switch (denial.denied) {
    case 'too_many':
      return tooMany(
        'Too many attempts from this network address: wait for the time in Retry-After.',
        denial.waitMs,
      );
    case 'unavailable':
      return new Problem('unavailable', 'Too many passphrases are being checked just now: try again.', {
        headers: ['Retry-After', '1'],
      });
    case 'passphrase_missing':
      return new Problem('wrong_credentials', 'This link needs a passphrase: its sender knows it.');
    case 'wrong_passphrase':
      return new Problem('wrong_credentials', wrongPassphraseText(denial.left));
  }
}

function wrongPassphraseText(left: number): string {
  if (left <= 0)
    return 'The passphrase is wrong. The link opens nothing any more: ask its sender for another.';
  return `The passphrase is wrong: ${left === 1 ? 'one attempt is' : `${left} attempts are`} left.`;
}
