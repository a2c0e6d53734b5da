import type { FastifyRequest } from 'fastify';
import Type, { type TString } from 'typebox';
import { hashOfChosenPassword } from '../../admin/operators/password.ts';
import {
  beginSecondFactor,
  changePassword,
  confirmSecondFactor,
  endSession,
  removeSecondFactor,
} from '../../admin/operators/profile.ts';
import { denialOf } from '../../admin/operators/sign-in.ts';
import { sessionEnd } from '../../domain/session.ts';
import type { AdminContext } from './context.ts';
import { operatorChangeOf, operatorSessionOf, setSessionCookie } from './operator-session.ts';
import type { AdminApp } from './admin-app.ts';
import { answerObject, closedObject, nothing, ref } from './schema.ts';
import { codeSchema, denialProblem, passwordSchema } from './session.routes.ts';
import { ownSessionJson, ownSessionSchema } from './session.wire.ts';

const TAG = { tags: ['Profile'] };
const currentPassword = passwordSchema('The password that there is');

export function profileRoutes(app: AdminApp, context: AdminContext): void {
  app.addSchema(ownSessionSchema);
  passwordRoute(app, context);
  secondFactorRoutes(app, context);
  ownSessionRoutes(app, context);
}

/** Checks the password again: access to an unattended screen must not suffice for a takeover. */
async function confirmed(
  { signIn }: AdminContext,
  request: FastifyRequest,
  password: string,
): Promise<{ checkedHash: string }> {
  const outcome = await signIn.confirm(operatorSessionOf(request).operator, password);
  if ('denied' in outcome) throw denialProblem(outcome);
  return outcome;
}

function passwordRoute(app: AdminApp, context: AdminContext): void {
  app.put(
    '/profile/password',
    {
      config: { needs: 'session' },
      schema: {
        ...TAG,
        operationId: 'changePassword',
        summary:
          "Changes the operator's own password, renews this session and ends the operator's other sessions.",
        body: closedObject({
          current_password: currentPassword,
          new_password: passwordSchema('12 to 128 characters that nobody would guess'),
        }),
        response: { 204: nothing('Changed') },
      },
    },
    async (request, reply) => {
      const { current_password: current, new_password: password } = request.body;
      const { checkedHash } = await confirmed(context, request, current);
      const { session, operator } = operatorSessionOf(request);
      const passwordHash = await hashOfChosenPassword(password, operator.email, 'new_password');
      const hashes = { checkedHash, passwordHash, sessionId: session.id };
      const { token } = await changePassword(operatorChangeOf(request, context), hashes);
      setSessionCookie(reply, token);
      return reply.code(204).send();
    },
  );
}

function secondFactorRoutes(app: AdminApp, context: AdminContext): void {
  beginSecondFactorRoute(app, context);
  confirmSecondFactorRoute(app, context);
  removeSecondFactorRoute(app, context);
}

/** Optional in the schema, so that a missing code gets `second_factor_required`, as at sign-in. */
const withPasswordAndCode = closedObject({
  current_password: currentPassword,
  code: Type.Optional(codeSchema('Of the second factor that is on, or a recovery code')),
});

function beginSecondFactorRoute(app: AdminApp, context: AdminContext): void {
  app.post(
    '/profile/second-factor',
    {
      config: { needs: 'session' },
      schema: {
        ...TAG,
        operationId: 'beginSecondFactor',
        summary: 'Makes a secret for an authenticator app. It takes effect when a code from it is confirmed.',
        description:
          'If a second factor is on, `code` must come from it: 401 `second_factor_required` without it.',
        body: withPasswordAndCode,
        response: {
          200: answerObject('Shown only once', {
            secret: Type.String({ description: 'Base 32, to be typed' }),
            otpauth_uri: Type.String({ description: 'The same for a QR code' }),
          }),
        },
      },
    },
    async (request) => {
      await confirmed(context, request, request.body.current_password);
      const { masterKey, config } = context;
      const input = { site: new URL(config.issuer).host, code: request.body.code ?? '' };
      const outcome = await beginSecondFactor(operatorChangeOf(request, context), masterKey, input);
      if ('refused' in outcome) throw denialProblem(denialOf(outcome, context.now()));
      return { secret: outcome.secret, otpauth_uri: outcome.uri };
    },
  );
}

function confirmSecondFactorRoute(app: AdminApp, context: AdminContext): void {
  app.put(
    '/profile/second-factor',
    {
      config: { needs: 'session' },
      schema: {
        ...TAG,
        operationId: 'confirmSecondFactor',
        summary: 'Turns the second factor on: sign-in asks for a code from now on.',
        description: "Renews this session and ends the operator's other sessions.",
        body: closedObject({ code: codeSchema('That the app shows for the new secret') }),
        response: {
          200: answerObject('Shown only once', {
            recovery_codes: Type.Array(Type.String(), {
              description: 'Each signs in once without the app',
            }),
          }),
        },
      },
    },
    async (request, reply) => {
      const { session, operator } = operatorSessionOf(request);
      const paid = await context.signIn.payForCode(operator);
      if ('denied' in paid) throw denialProblem(paid);
      const change = operatorChangeOf(request, context);
      const input = { code: request.body.code, sessionId: session.id };
      const { recoveryCodes, token } = await confirmSecondFactor(change, context.masterKey, input);
      await paid.refund();
      setSessionCookie(reply, token);
      return { recovery_codes: recoveryCodes };
    },
  );
}

function removeSecondFactorRoute(app: AdminApp, context: AdminContext): void {
  app.delete(
    '/profile/second-factor',
    {
      config: { needs: 'session' },
      schema: {
        ...TAG,
        operationId: 'removeSecondFactor',
        summary: 'Turns the second factor off: the password alone signs in.',
        description:
          'Needs a `code` of the second factor: 401 `second_factor_required` without it. Renews this session and ends the ' +
          "operator's other sessions.",
        body: withPasswordAndCode,
        response: { 204: nothing('Turned off') },
      },
    },
    async (request, reply) => {
      const { session } = operatorSessionOf(request);
      await confirmed(context, request, request.body.current_password);
      const change = operatorChangeOf(request, context);
      const input = { code: request.body.code ?? '', sessionId: session.id };
      const outcome = await removeSecondFactor(change, context.masterKey, input);
      if ('refused' in outcome) throw denialProblem(denialOf(outcome, context.now()));
      setSessionCookie(reply, outcome.token);
      return reply.code(204).send();
    },
  );
}

function ownSessionRoutes(app: AdminApp, context: AdminContext): void {
  app.get(
    '/profile/sessions',
    {
      config: { needs: 'session' },
      schema: {
        ...TAG,
        operationId: 'listOwnSessions',
        summary: 'The sessions of this operator, the newest first.',
        response: {
          200: answerObject('All that are not over', { items: Type.Array(ref(ownSessionSchema)) }),
        },
      },
    },
    async (request) => {
      const { session, operator } = operatorSessionOf(request);
      const all = await context.store.sessions.listOf(operator.id);
      const sessions = all.filter((each) => sessionEnd(each, context.config) > context.now());
      return { items: sessions.map((each) => ownSessionJson(each, session.id)) };
    },
  );
  const id: TString = Type.String({ maxLength: 100 });
  app.delete(
    '/profile/sessions/:id',
    {
      config: { needs: 'session' },
      schema: {
        ...TAG,
        operationId: 'endOwnSession',
        summary: 'Signs out elsewhere.',
        params: Type.Object({ id }),
        response: { 204: nothing('Ended') },
      },
    },
    async (request, reply) => {
      await endSession(operatorChangeOf(request, context), 'session.end', request.params.id);
      return reply.code(204).send();
    },
  );
}
