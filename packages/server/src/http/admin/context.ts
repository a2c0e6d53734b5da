import type { IncomingMessage } from 'node:http';
import type { FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import type { Change } from '../../admin/audited.ts';
import type { RefusedLookUps } from '../../admin/refused-look-ups.ts';
import type { SecretLinks } from '../../admin/open-secret-link.ts';
import type { FindSession } from '../../admin/operators/sessions.ts';
import type { SignIn } from '../../admin/operators/sign-in.ts';
import type { Config } from '../../config/config.ts';
import type { AccessTokenClaims } from '../../domain/access-token.ts';
import type { AccessTokenReader } from '../../domain/read-access-token.ts';
import type { KeySourceCheck } from '../../runtime/trusted-keys/check.ts';
import type { TrustedKeys } from '../../runtime/trusted-keys/trusted-keys.ts';
import type { Live } from '../../runtime/usage/live-events.ts';
import type { OverviewSource } from '../../runtime/usage/overview-source.ts';
import type { MasterKey } from '../../storage/master-key.ts';
import type { Store } from '../../storage/store.ts';
import { actorOf } from './admin-app.ts';
import { idempotencyOf } from './preconditions.ts';

/** Dependencies of the admin API. Routes pass parts of it to the functions of admin/. */
export interface AdminContext {
  /** Milliseconds since 1970 (UTC). */
  now(): number;
  store: Store;
  masterKey: MasterKey;
  config: Config;
  log: Logger;
  addressOf(request: IncomingMessage): string;
  readToken: AccessTokenReader;
  isRevoked(token: AccessTokenClaims): boolean;
  /** True while the clock of this process is wrong (clock-watch.ts): changes would get wrong times. */
  clockIsOff(): boolean;
  /**
   * After a sleep (sleep-watch.ts), resolves when this process has read the changes that it missed, or when
   * that takes too long. Undefined: it has read them all.
   */
  catchingUp(nowMs: number): Promise<void> | undefined;
  /** Resolves when this process has applied every change that was made before the call. */
  followChanges(): Promise<void>;
  findSession: FindSession;
  signIn: SignIn;
  refusedLookUps: Pick<RefusedLookUps, 'record'>;
  secretLinks: SecretLinks;
  live: Pick<Live, 'watch'>;
  overview: OverviewSource;
  keySets: TrustedKeys;
  checkKeySource: KeySourceCheck;
}

/** The first argument of a change by the caller of this request, dated now. */
export function changeOf(
  request: FastifyRequest,
  { store, now }: Pick<AdminContext, 'store' | 'now'>,
): Change {
  return { store, actor: actorOf(request), nowMs: now() };
}

/** Like `changeOf`, for a route that accepts an `Idempotency-Key`. */
export function repeatableChangeOf(
  request: FastifyRequest,
  context: Pick<AdminContext, 'store' | 'now'>,
): Change {
  return { ...changeOf(request, context), idempotency: idempotencyOf(request) };
}
