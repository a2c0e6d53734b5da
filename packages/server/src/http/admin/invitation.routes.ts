import Type from 'typebox';
import { ROLES } from '../../domain/actor.ts';
import type { AdminContext } from './context.ts';
import { refuseOtherSites } from './cross-site.ts';
import type { AdminApp } from './admin-app.ts';
import { answerObject, closedObject, nullable, oneOf, ref } from './schema.ts';
import { begun, callerOf, denialProblem, emailSchema, passwordSchema } from './session.routes.ts';
import { sessionSchema } from './session.wire.ts';

const TAG = { tags: ['Session'] };
const TOKEN_LENGTH_MAX = 200;
const token = Type.String({
  minLength: 1,
  maxLength: TOKEN_LENGTH_MAX,
  description: 'What follows `#` in the link',
});

/** The routes for a person who opens the link of an invitation. */
export function invitationRoutes(app: AdminApp, { signIn, config, addressOf }: AdminContext): void {
  app.post(
    '/invitations/inspect',
    {
      config: { needs: 'nothing' },
      schema: {
        ...TAG,
        operationId: 'inspectInvitation',
        summary: 'Whose invitation this is. Changes nothing.',
        body: closedObject({ token }),
        response: {
          200: answerObject('An invitation that can be accepted', {
            email: nullable(
              Type.String({ description: 'null: it makes the first admin, who gives an e-mail address' }),
            ),
            role: oneOf(ROLES, 'What the operator may do'),
          }),
        },
      },
    },
    async (request) => {
      const outcome = await signIn.inspect(request.body.token, addressOf(request.raw));
      if ('denied' in outcome) throw denialProblem(outcome);
      return outcome;
    },
  );
  app.post(
    '/invitations/accept',
    {
      config: { needs: 'nothing' },
      schema: {
        ...TAG,
        operationId: 'acceptInvitation',
        summary: 'Chooses a password, once, and begins a session, whose cookie is in the answer.',
        body: closedObject({
          token,
          password: passwordSchema('12 to 128 characters that nobody would guess'),
          email: Type.Optional(emailSchema('For the first admin: what to sign in with')),
        }),
        response: { 200: ref(sessionSchema) },
      },
    },
    async (request, reply) => {
      refuseOtherSites(request, config.issuer);
      return begun(reply, await signIn.accept(request.body, callerOf(request, addressOf)));
    },
  );
}
