import type { FastifyRequest } from 'fastify';
import Type, { type TString } from 'typebox';
import type { Actor } from '../../domain/actor.ts';
import type { NewTotp } from '../../domain/second-factor.ts';
import type { Session } from '../../domain/session.ts';
import type { SignInDenial } from '../../admin/operators/sign-in.ts';
import { operatorSessionOf, setSessionCookie } from './operator-session.ts';
import { actorOf, type AdminApp } from './admin-app.ts';
import { nothing, ref } from './schema.ts';
import { codeSchema, denialProblem, passwordSchema, type SessionServices } from './session.routes.ts';
import { ownSessionJson, ownSessionSchema } from './session.wire.ts';

export interface ProfileServices extends SessionServices {
  profile: {
    /** The password is as it was typed: it is checked against what may be one, and hashed. */
    changePassword(
      by: Actor,
      change: { checkedHash: string; password: string; sessionId: string },
    ): Promise<Renewed>;
    /** `code`: of the second factor that there is; empty where none was given. */
    beginSecondFactor(by: Actor, code: string): Promise<NewTotp | SignInDenial>;
    confirmSecondFactor(
      by: Actor,
      asked: { code: string; sessionId: string },
    ): Promise<Renewed & { recoveryCodes: string[] }>;
    removeSecondFactor(
      by: Actor,
      asked: { code: string; sessionId: string },
    ): Promise<Renewed | SignInDenial>;
    /** Those that are not over. */
    sessions(operatorId: string): Promise<Session[]>;
  };
}

/** The session goes on under this token. */
interface Renewed {
  token: string;
}

const TAG = { tags: ['Profile'] };
const currentPassword = passwordSchema('The password that there is');

export function profileRoutes(app: AdminApp, services: ProfileServices): void {
  app.addSchema(ownSessionSchema);
  passwordRoute(app, services);
  secondFactorRoutes(app, services);
  ownSessionRoutes(app, services);
}

/** Asks for the password again: an unattended screen is not enough to take an account over. */
async function confirmed(
  { signIn }: SessionServices,
  request: FastifyRequest,
  password: string,
): Promise<{ checkedHash: string }> {
  const outcome = await signIn.confirm(operatorSessionOf(request).operator, password);
  if ('denied' in outcome) throw denialProblem(outcome);
  return outcome;
}

function passwordRoute(app: AdminApp, services: ProfileServices): void {
  app.put(
    '/profile/password',
    {
      config: { needs: 'read' },
      schema: {
        ...TAG,
        operationId: 'changePassword',
        summary: 'Changes the own password, renews this session and ends the own others.',
        body: Type.Object(
          {
            current_password: currentPassword,
            new_password: passwordSchema('12 to 128 characters that nobody would guess'),
          },
          { additionalProperties: false },
        ),
        response: { 204: nothing('Changed') },
      },
    },
    async (request, reply) => {
      const { current_password: current, new_password: password } = request.body;
      const { checkedHash } = await confirmed(services, request, current);
      const sessionId = operatorSessionOf(request).session.id;
      const change = { checkedHash, password, sessionId };
      const { token } = await services.profile.changePassword(actorOf(request), change);
      setSessionCookie(reply, token);
      return reply.code(204).send();
    },
  );
}

function secondFactorRoutes(app: AdminApp, services: ProfileServices): void {
  beginSecondFactorRoute(app, services);
  confirmSecondFactorRoute(app, services);
  removeSecondFactorRoute(app, services);
}

/** Optional in the schema, so that its absence is answered `second_factor_required`, as sign-in does. */
const withPasswordAndCode = Type.Object(
  {
    current_password: currentPassword,
    code: Type.Optional(codeSchema('Of the second factor that is on, or a recovery code')),
  },
  { additionalProperties: false },
);

function beginSecondFactorRoute(app: AdminApp, services: ProfileServices): void {
  app.post(
    '/profile/second-factor',
    {
      config: { needs: 'read' },
      schema: {
        ...TAG,
        operationId: 'beginSecondFactor',
        summary: 'A secret for an authenticator app. It counts once a code of it was given.',
        description:
          'If a second factor is on, `code` must be one of it: 401 `second_factor_required` without.',
        body: withPasswordAndCode,
        response: {
          200: Type.Object(
            {
              secret: Type.String({ description: 'Base 32, to be typed' }),
              otpauth_uri: Type.String({ description: 'The same for a QR code' }),
            },
            { additionalProperties: false, description: 'Shown this once' },
          ),
        },
      },
    },
    async (request) => {
      await confirmed(services, request, request.body.current_password);
      const outcome = await services.profile.beginSecondFactor(actorOf(request), request.body.code ?? '');
      if ('denied' in outcome) throw denialProblem(outcome);
      return { secret: outcome.secret, otpauth_uri: outcome.uri };
    },
  );
}

function confirmSecondFactorRoute(app: AdminApp, services: ProfileServices): void {
  app.put(
    '/profile/second-factor',
    {
      config: { needs: 'read' },
      schema: {
        ...TAG,
        operationId: 'confirmSecondFactor',
        summary: 'Turns the second factor on: sign-in asks for a code from now on.',
        description: 'Renews this session, and ends the own others.',
        body: Type.Object(
          { code: codeSchema('That the app shows for the new secret') },
          { additionalProperties: false },
        ),
        response: {
          200: Type.Object(
            {
              recovery_codes: Type.Array(Type.String(), {
                description: 'Each signs in once without the app',
              }),
            },
            { additionalProperties: false, description: 'Shown this once' },
          ),
        },
      },
    },
    async (request, reply) => {
      const { session, operator } = operatorSessionOf(request);
      const paid = await services.signIn.payForCode(operator);
      if ('denied' in paid) throw denialProblem(paid);
      const asked = { code: request.body.code, sessionId: session.id };
      const { recoveryCodes, token } = await services.profile.confirmSecondFactor(actorOf(request), asked);
      await paid.refund();
      setSessionCookie(reply, token);
      return { recovery_codes: recoveryCodes };
    },
  );
}

function removeSecondFactorRoute(app: AdminApp, services: ProfileServices): void {
  app.delete(
    '/profile/second-factor',
    {
      config: { needs: 'read' },
      schema: {
        ...TAG,
        operationId: 'removeSecondFactor',
        summary: 'Turns the second factor off: the password alone signs in.',
        description:
          '`code` must be one of the second factor: 401 `second_factor_required` without. Renews this session, and ends the own ' +
          'others.',
        body: withPasswordAndCode,
        response: { 204: nothing('Turned off') },
      },
    },
    async (request, reply) => {
      const { session } = operatorSessionOf(request);
      await confirmed(services, request, request.body.current_password);
      const asked = { code: request.body.code ?? '', sessionId: session.id };
      const outcome = await services.profile.removeSecondFactor(actorOf(request), asked);
      if ('denied' in outcome) throw denialProblem(outcome);
      setSessionCookie(reply, outcome.token);
      return reply.code(204).send();
    },
  );
}

function ownSessionRoutes(app: AdminApp, { profile, endSession }: ProfileServices): void {
  app.get(
    '/profile/sessions',
    {
      config: { needs: 'read' },
      schema: {
        ...TAG,
        operationId: 'listOwnSessions',
        summary: 'Where one is signed in, the newest first.',
        response: {
          200: Type.Object(
            { items: Type.Array(ref(ownSessionSchema)) },
            { additionalProperties: false, description: 'All that are not over' },
          ),
        },
      },
    },
    async (request) => {
      const { session, operator } = operatorSessionOf(request);
      const sessions = await profile.sessions(operator.id);
      return { items: sessions.map((each) => ownSessionJson(each, session.id)) };
    },
  );
  const id: TString = Type.String({ maxLength: 100 });
  app.delete(
    '/profile/sessions/:id',
    {
      config: { needs: 'read' },
      schema: {
        ...TAG,
        operationId: 'endOwnSession',
        summary: 'Signs out elsewhere.',
        params: Type.Object({ id }),
        response: { 204: nothing('Ended') },
      },
    },
    async (request, reply) => {
      operatorSessionOf(request);
      await endSession(actorOf(request), 'session.end', request.params.id);
      return reply.code(204).send();
    },
  );
}
