import type { FastifyReply, FastifyRequest } from 'fastify';
import Type, { type TString } from 'typebox';
import type { SignIn } from '../../admin/operators/sign-in.ts';
import type { SignedIn, SignInDenial } from '../../admin/operators/sign-in-outcome.ts';
import { endSession } from '../../admin/operators/profile.ts';
import type { Operator } from '../../domain/operator.ts';
import { KNOWN_BROWSER_SECONDS } from '../../admin/operators/known-browsers.ts';
import { membershipsOf } from '../../admin/member.ts';
import type { AdminContext } from './context.ts';
import { refuseOtherSites } from './cross-site.ts';
import {
  clearSessionCookie,
  cookiesOf,
  operatorChangeOf,
  operatorSessionOf,
  setCookies,
} from './operator-session.ts';
import { actorOf, type AdminApp } from './admin-app.ts';
import { Problem, tooMany } from './problem.ts';
import { closedObject, nothing, ref } from './schema.ts';
import { membershipSchema, sessionJson, sessionSchema, type SessionJson } from './session.wire.ts';

const EMAIL_LENGTH_MAX = 254;
/** Larger than the limit on passwords: the password check reports that limit. */
const PASSWORD_LENGTH_MAX = 1000;
const CODE_LENGTH_MAX = 64;

export function emailSchema(description: string): TString {
  return Type.String({ minLength: 1, maxLength: EMAIL_LENGTH_MAX, description });
}

export function passwordSchema(description: string): TString {
  return Type.String({ minLength: 1, maxLength: PASSWORD_LENGTH_MAX, description });
}

export function codeSchema(description: string): TString {
  return Type.String({ minLength: 1, maxLength: CODE_LENGTH_MAX, description });
}

const TAG = { tags: ['Session'] };

export function sessionRoutes(app: AdminApp, context: AdminContext): void {
  app.addSchema(membershipSchema);
  app.addSchema(sessionSchema);
  signInRoute(app, context);
  app.get(
    '/session',
    {
      config: { needs: 'session' },
      schema: {
        ...TAG,
        operationId: 'readSession',
        summary: 'Who calls, and until when.',
        response: { 200: ref(sessionSchema) },
      },
    },
    async (request) => {
      const current = request.operatorSession;
      if (current !== null) return await currentSessionJson(context, current);
      const { id, name } = actorOf(request);
      const actor = { kind: 'api_user', id, name, role: null, second_factor: null } as const;
      return { actor, expires_at: null, organisations: [] };
    },
  );
  app.delete(
    '/session',
    {
      config: { needs: 'session' },
      schema: {
        ...TAG,
        operationId: 'signOut',
        summary: 'Ends this session.',
        response: { 204: nothing('Signed out') },
      },
    },
    async (request, reply) => {
      const { session } = operatorSessionOf(request);
      await endSession(operatorChangeOf(request, context), 'session.sign_out', session.id);
      clearSessionCookie(reply);
      return reply.code(204).send();
    },
  );
}

function signInRoute(app: AdminApp, context: AdminContext): void {
  const { signIn, config, addressOf } = context;
  app.post(
    '/session',
    {
      config: { needs: 'nothing' },
      schema: {
        ...TAG,
        operationId: 'signIn',
        summary: 'Begins a session of an operator, whose cookie is in the answer.',
        description:
          'With a second factor and without `code`: 401 `second_factor_required`, once the password is right.',
        body: closedObject({
          email: emailSchema('In any letter case'),
          password: passwordSchema('The password'),
          code: Type.Optional(codeSchema('Of the authenticator app, or a recovery code')),
        }),
        response: { 200: ref(sessionSchema) },
      },
    },
    async (request, reply) => {
      refuseOtherSites(request, config.issuer);
      const outcome = await signIn.signIn(request.body, callerOf(request, addressOf));
      return await begun(context, reply, outcome);
    },
  );
}

/** The origin of a request to sign in: address, browser and cookies. */
export function callerOf(
  request: FastifyRequest,
  addressOf: AdminContext['addressOf'],
): Parameters<SignIn['signIn']>[1] {
  const userAgent = request.headers['user-agent'] ?? '';
  return { address: addressOf(request.raw), userAgent, ...cookiesOf(request) };
}

/** Sets the cookies and returns the answer after a sign-in; throws a Problem if the sign-in was denied. */
export async function begun(
  context: Pick<AdminContext, 'store'>,
  reply: FastifyReply,
  outcome: SignedIn | SignInDenial,
): Promise<SessionJson> {
  if ('denied' in outcome) throw denialProblem(outcome);
  setCookies(reply, outcome, KNOWN_BROWSER_SECONDS);
  return await currentSessionJson(context, outcome);
}

export async function currentSessionJson(
  { store }: Pick<AdminContext, 'store'>,
  session: { operator: Operator; endsAt: number },
): Promise<SessionJson> {
  return sessionJson(session, await membershipsOf(store, session.operator.id));
}

export function denialProblem(denial: SignInDenial): Problem {
  switch (denial.denied) {
    case 'wrong_credentials':
      return new Problem(
        'wrong_credentials',
        'The password is not the one of this operator, or there is no such operator. An admin can reset it.',
      );
    case 'second_factor_required':
      return new Problem(
        'second_factor_required',
        'Give the code that the authenticator app shows, or a recovery code.',
      );
    case 'wrong_code':
      return new Problem(
        'wrong_credentials',
        'The code is wrong, or was used already: give the next one, or a recovery code.',
      );
    case 'too_many':
      return tooMany('Too many attempts to sign in: wait for the time in Retry-After.', denial.waitMs);
    case 'unavailable':
      return new Problem('unavailable', 'Too many passwords are being checked just now: try again.', {
        headers: ['Retry-After', '1'],
      });
  }
}
