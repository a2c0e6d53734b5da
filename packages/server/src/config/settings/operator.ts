import { whole, type Setting } from '../setting.ts';

/** The settings of operators and how they sign in; a part of `Config`. */
export interface OperatorConfig {
  readonly sessionIdleSeconds: number;
  readonly sessionLifeSeconds: number;
  readonly invitationLifeSeconds: number;
  readonly firstAdminLinkSeconds: number;
  readonly signInLimit: number;
  readonly signInAddressLimit: number;
  readonly signInAccountLimit: number;
}

const HOUR = 3600;
const DAY = 24 * HOUR;

export const OPERATOR_SETTINGS: { readonly [K in keyof OperatorConfig]: Setting<OperatorConfig[K]> } = {
  sessionIdleSeconds: whole(
    'SESSION_IDLE',
    '<seconds>',
    HOUR / 2,
    1,
    DAY,
    'An operator who does nothing for so long is signed out.',
  ),
  sessionLifeSeconds: whole(
    'SESSION_LIFE',
    '<seconds>',
    12 * HOUR,
    1,
    30 * DAY,
    'An operator is signed out after this time, busy or not.',
  ),
  invitationLifeSeconds: whole(
    'INVITATION_LIFE',
    '<seconds>',
    3 * DAY,
    1,
    30 * DAY,
    'How long the link works with which an operator chooses a password.',
  ),
  firstAdminLinkSeconds: whole(
    'FIRST_ADMIN_LINK',
    '<seconds>',
    HOUR,
    0,
    DAY,
    'While there is no operator, each start prints a link for the first admin, which works for so long; 0: none.',
  ),
  signInLimit: whole(
    'SIGN_IN_LIMIT',
    '<calls/min>',
    10,
    1,
    1e6,
    'Attempts a minute to sign in with one e-mail address from one network address, or one browser known for it.',
  ),
  signInAddressLimit: whole(
    'SIGN_IN_ADDRESS_LIMIT',
    '<calls/min>',
    60,
    1,
    1e6,
    'Attempts a minute to sign in from one network address, with whatever e-mail address.',
  ),
  signInAccountLimit: whole(
    'SIGN_IN_ACCOUNT_LIMIT',
    '<calls/min>',
    20,
    1,
    1e6,
    'Attempts a minute with one e-mail address from all browsers together that are not known for it.',
  ),
};
