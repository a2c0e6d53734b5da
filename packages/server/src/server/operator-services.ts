import type { IncomingMessage } from 'node:http';
import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import { invitationUrl } from '../domain/invitation.ts';
import { operatorState } from '../domain/operator.ts';
import { sessionEnd } from '../domain/session.ts';
import type { Actor } from '../domain/actor.ts';
import { createFailedSignIns, type FailedSignIns } from '../admin/operators/failed-sign-ins.ts';
import type { GateServices } from '../http/admin/gate.ts';
import { sessionActorOf } from '../http/admin/operator-session.ts';
import type { OperatorServices } from '../http/admin/operator.routes.ts';
import type { MadeLink } from '../http/admin/operator.wire.ts';
import type { ProfileServices } from '../http/admin/profile.routes.ts';
import { hashOfChosenPassword } from '../admin/operators/password.ts';
import {
  changeOperatorRole,
  existingOperator,
  inviteAgain,
  inviteOperator,
  removeOperator,
  resetOperator,
  type Invited,
} from '../admin/operators/operator.ts';
import {
  beginSecondFactor,
  changePassword,
  confirmSecondFactor,
  endSession,
  removeSecondFactor,
} from '../admin/operators/profile.ts';
import type { OperatorActor } from '../admin/operators/start-session.ts';
import type { MasterKey } from '../storage/master-key.ts';
import { createSessionFinder } from '../admin/operators/sessions.ts';
import type { Limits } from '../runtime/limits/limits.ts';
import { createSignIn, denialOf } from '../admin/operators/sign-in.ts';
import type { SignInCounter } from '../admin/operators/sign-in-budgets.ts';
import { memoryCounters } from '../storage/memory/counters.ts';
import type { Store } from '../storage/store.ts';

/** What the admin API needs of operators: who signs in, who is signed in, and what is done about them. */
export interface OperatorsPart {
  services: Pick<GateServices, 'sessionActor'> &
    Pick<ProfileServices, 'signIn' | 'endSession' | 'profile'> &
    OperatorServices;
  failed: FailedSignIns;
}

export function createOperatorsPart(
  store: Store,
  masterKey: MasterKey,
  config: Config,
  addressOf: (request: IncomingMessage) => string,
  share: Limits['share'],
  log: Logger,
): OperatorsPart {
  const now = Date.now;
  const failed = createFailedSignIns(store, log, now);
  const counter = (): SignInCounter => {
    const counters = memoryCounters(config.limiterKeysMax);
    return { counters, shared: share(counters) };
  };
  const counters = { addresses: counter(), attempts: counter(), accounts: counter() };
  return {
    failed,
    services: {
      sessionActor: sessionActorOf(createSessionFinder(store, config, now), addressOf, config.issuer),
      signIn: createSignIn(store, masterKey, config, counters, failed, now),
      endSession: (by, action, sessionId) => endSession(store, operator(by), action, sessionId, now()),
      profile: profileServices(store, masterKey, config),
      operators: operatorServices(store, config),
    },
  };
}

function profileServices(store: Store, masterKey: MasterKey, config: Config): ProfileServices['profile'] {
  const site = new URL(config.issuer).host;
  return {
    async changePassword(by, { checkedHash, password, sessionId }) {
      const passwordHash = await hashOfChosenPassword(password, by.name, 'new_password');
      return await changePassword(store, operator(by), { checkedHash, passwordHash, sessionId }, Date.now());
    },
    async beginSecondFactor(by, code) {
      const asked = { site, code };
      const outcome = await beginSecondFactor(store, operator(by), masterKey, asked, Date.now());
      return 'refused' in outcome ? denialOf(outcome, Date.now()) : outcome;
    },
    confirmSecondFactor: (by, asked) =>
      confirmSecondFactor(store, operator(by), masterKey, asked, Date.now()),
    async removeSecondFactor(by, asked) {
      const outcome = await removeSecondFactor(store, operator(by), masterKey, asked, Date.now());
      return 'refused' in outcome ? denialOf(outcome, Date.now()) : outcome;
    },
    async sessions(operatorId) {
      const all = await store.sessions.listOf(operatorId);
      return all.filter((session) => sessionEnd(session, config) > Date.now());
    },
  };
}

function operatorServices(store: Store, config: Config): OperatorServices['operators'] {
  const life = config.invitationLifeSeconds;
  const link = ({ operator: of, token, expiresAt }: Invited): MadeLink => ({
    operator: of,
    url: invitationUrl(config.issuer, token),
    expiresAt,
  });
  return {
    list: (page) => store.operators.list(page),
    invite: async (by, asked, once) => link(await inviteOperator(store, by, asked, life, Date.now(), once)),
    async newLink(by, id) {
      const state = operatorState(await existingOperator(store, id));
      const work = state === 'active' ? resetOperator : inviteAgain;
      return link(await work(store, by, id, life, Date.now()));
    },
    changeRole: (by, id, role) => changeOperatorRole(store, by, id, role, Date.now()),
    async remove(by, id) {
      await removeOperator(store, by, id, Date.now());
    },
  };
}

/** Sessions and profiles are operators' alone: their routes let nobody else this far. */
function operator(by: Actor): OperatorActor {
  if (by.kind === 'operator') return by;
  throw new Error(`${by.kind} has neither session nor profile.`);
}
