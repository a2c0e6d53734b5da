/** Operators and how they sign in. */
export const OPERATOR_SETTINGS = {
  sessionIdleSeconds: {
    type: 'whole',
    env: 'MINTMARK_SESSION_IDLE',
    value: '<seconds>',
    default: 1800,
    min: 1,
    max: 86_400,
    help: 'An operator who does nothing for this long is signed out.',
  },
  sessionLifeSeconds: {
    type: 'whole',
    env: 'MINTMARK_SESSION_LIFE',
    value: '<seconds>',
    default: 43_200,
    min: 1,
    max: 2_592_000,
    help: 'An operator is signed out after this time, busy or not.',
  },
  invitationLifeSeconds: {
    type: 'whole',
    env: 'MINTMARK_INVITATION_LIFE',
    value: '<seconds>',
    default: 259_200,
    min: 1,
    max: 2_592_000,
    help: 'Life of the link with which an operator chooses a password.',
  },
  firstAdminLinkSeconds: {
    type: 'whole',
    env: 'MINTMARK_FIRST_ADMIN_LINK',
    value: '<seconds>',
    default: 3600,
    min: 0,
    max: 86_400,
    help: 'Until there is an operator, each start prints a link for the first admin, which works for this long; 0: none.',
  },
} as const;
