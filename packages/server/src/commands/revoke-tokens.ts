/** Help text of the option --revoke-tokens. */
export const REVOKE_TOKENS = 'Put the tokens that it has on the revocation list as well.';

/** The message after tokens were revoked. */
export const REVOKED: string =
  'The tokens are on the revocation list of every server on this store within a second. A token issued in the next two ' +
  'seconds is revoked with them.';
