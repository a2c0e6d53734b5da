import { revokeApiUserTokens } from '../../admin/api-user.ts';
import { rotateSigningKey, type Rotation } from '../../admin/signing-key.ts';
import { SYSTEM } from '../../domain/actor.ts';
import type { IssuingSource } from './issuing.ts';
import { InvalidInput, spanMs, type Span } from './span.ts';
import type { SandboxClock } from './virtual-clock.ts';

/** Faults and events of the server as a whole. */
export interface StateFaults {
  /** The server's clock is this many seconds ahead of the sandbox's; negative: behind; 0: right again. */
  skewClock(seconds: number): void;
  /** The store is out of reach for this span of the sandbox's clock. */
  storeAway(span: Span): void;
  /** A new signing key signs at once; the old one stays in the key set until its tokens have expired. */
  rotateKey(): Promise<void>;
  /** A new signing key signs at once, and all others leave the key set: their tokens are worthless. */
  withdrawKey(): Promise<void>;
  /** Revokes all tokens of an API user, given by client id or username. */
  revokeTokens(clientId: string): Promise<void>;
}

const SKEW_SECONDS_MAX = 315_360_000;

export function stateFaults(
  { store, masterKey, config, now, settle }: IssuingSource,
  clock: Pick<SandboxClock, 'now'>,
  state: { skewMs: number; awayUntilMs: number },
): StateFaults {
  const change = () => ({ store, actor: SYSTEM, nowMs: now() });
  async function rotate(mode: Rotation['mode']): Promise<void> {
    await rotateSigningKey(change(), masterKey, {
      algorithm: config.signingAlgorithm,
      schedule: config,
      mode,
    });
    await settle();
  }
  return {
    skewClock(seconds) {
      if (!(Math.abs(seconds) <= SKEW_SECONDS_MAX))
        throw new InvalidInput(`skewClock: ${seconds} is not a number of seconds of at most ten years.`);
      state.skewMs = seconds * 1000;
    },
    storeAway(span) {
      state.awayUntilMs = clock.now() + spanMs(span, 'storeAway');
    },
    rotateKey: () => rotate('now'),
    withdrawKey: () => rotate('compromised'),
    async revokeTokens(clientId) {
      await revokeApiUserTokens(change(), clientId);
      await settle();
    },
  };
}
