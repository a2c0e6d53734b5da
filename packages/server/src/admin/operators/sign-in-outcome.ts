import type { AccountRole } from '../../domain/actor.ts';
import type { Operator } from '../../domain/operator.ts';
import type { MemberRole } from '../../domain/organisation.ts';
import type { Session } from '../../domain/session.ts';
import type { TooMany } from './sign-in-budgets.ts';
import type { SignInFrom } from './start-session.ts';

export interface Caller extends SignInFrom {
  /** The cookie of a known browser. */
  browser: string | null;
}

/** A successful sign-in, with the new session. */
export interface SignedIn {
  operator: Operator;
  session: Session;
  endsAt: number;
  /** For the cookies. */
  token: string;
  browser: string;
}

export type SignInDenial =
  /** The same for every e-mail address, so that callers cannot learn which operators exist. */
  | { denied: 'wrong_credentials' }
  /** The password was right. */
  | { denied: 'second_factor_required' }
  | { denied: 'wrong_code' }
  | TooMany
  | { denied: 'unavailable' };

export interface InspectedInvitation {
  /** Null: the first admin, who chooses it when accepting. */
  email: string | null;
  role: AccountRole | MemberRole;
  /** The name of the organisation that the person joins; null: the platform. */
  organisation: string | null;
  /** `nothing`: the invited person is signed in. */
  needs: 'password' | 'nothing';
}
