import { confinedTo, type Actor } from '../domain/actor.ts';
import { AppError } from '../domain/app-error.ts';
import type { KeySourceCheck } from '../runtime/trusted-keys/check.ts';

const MEMBER_PROBLEM =
  'No keys can be fetched from there: check the address, or ask an operator of the platform for the cause.';

/** Members do not learn why a fetch failed: that would describe the server's own network. */
export function checkFor(actor: Actor, check: KeySourceCheck): KeySourceCheck {
  if (confinedTo(actor) === null) return check;
  return async (source, member, nowMs) => {
    try {
      await check(source, member, nowMs);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      const faults = [{ member, problem: MEMBER_PROBLEM }];
      throw new AppError(error.code, MEMBER_PROBLEM, { faults });
    }
  };
}
