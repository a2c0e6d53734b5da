import Type from 'typebox';
import { ACCOUNT_ROLES } from '../../domain/actor.ts';
import { MEMBER_ROLES } from '../../domain/organisation.ts';
import type { AdminContext } from './context.ts';
import { refuseOtherSites } from './cross-site.ts';
import type { AdminApp } from './admin-app.ts';
import { answerObject, closedObject, nullable, oneOf, ref } from './schema.ts';
import { cookiesOf, sessionActor } from './operator-session.ts';
import {
  begun,
  callerOf,
  codeSchema,
  currentSessionJson,
  denialProblem,
  emailSchema,
  passwordSchema,
} from './session.routes.ts';
import { sessionSchema } from './session.wire.ts';

const TAG = { tags: ['Session'] };
const TOKEN_LENGTH_MAX = 200;
const token = Type.String({
  minLength: 1,
  maxLength: TOKEN_LENGTH_MAX,
  description: 'What follows `#` in the link',
});

/** The routes for a person who opens the link of an invitation. */
export function invitationRoutes(app: AdminApp, context: AdminContext): void {
  inspectRoute(app, context);
  acceptRoute(app, context);
}

function inspectRoute(app: AdminApp, { signIn, addressOf, findSession }: AdminContext): void {
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
            role: oneOf(
              [...ACCOUNT_ROLES, MEMBER_ROLES[0]],
              'What the operator may do, or the member in the organisation',
            ),
            organisation: nullable(
              Type.String({ description: 'Name of the organisation to join; null: the platform' }),
            ),
            needs: oneOf(
              ['password', 'nothing'] as const,
              'nothing: the session of this browser is that of the invited person. password: that of the account, or a new one',
            ),
          }),
        },
      },
    },
    async (request) => {
      const { sessionToken } = cookiesOf(request);
      const session = sessionToken === null ? null : await findSession(sessionToken, false);
      const address = addressOf(request.raw);
      const outcome = await signIn.inspect(request.body.token, address, session?.operator ?? null);
      if ('denied' in outcome) throw denialProblem(outcome);
      return outcome;
    },
  );
}

function acceptRoute(app: AdminApp, context: AdminContext): void {
  const { signIn, config, addressOf } = context;
  app.post(
    '/invitations/accept',
    {
      config: { needs: 'nothing' },
      schema: {
        ...TAG,
        operationId: 'acceptInvitation',
        summary: 'Chooses a password, once, and begins a session, whose cookie is in the answer.',
        description:
          'A member of an organisation who has an account signs in with its password, and with `code` if it has a second ' +
          'factor; or sends neither, with the cookie of a session of that account.',
        body: closedObject({
          token,
          password: Type.Optional(passwordSchema('12 to 128 characters that nobody would guess')),
          code: Type.Optional(codeSchema('Of the authenticator app, or a recovery code')),
          email: Type.Optional(emailSchema('For the first admin: what to sign in with')),
        }),
        response: { 200: ref(sessionSchema) },
      },
    },
    async (request, reply) => {
      refuseOtherSites(request, config.issuer);
      const { password } = request.body;
      // Only the session accepts without a password: its request must come from a page of this server.
      if (password === undefined) await sessionActor(context, request);
      const current = request.operatorSession;
      const caller = callerOf(request, addressOf);
      const outcome = await signIn.accept(request.body, caller, current?.operator ?? null);
      if ('joined' in outcome && current !== null) return await currentSessionJson(context, current);
      return await begun(context, reply, outcome as Exclude<typeof outcome, { joined: true }>);
    },
  );
}
