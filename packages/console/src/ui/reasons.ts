/** Text for each reason of refusals, by the server's code. */
export const REASONS: ReadonlyMap<string, string> = new Map([
  ['invalid_request', 'malformed request'],
  ['unsupported_grant_type', 'unknown grant type'],
  ['invalid_scope', 'scope it does not have'],
  ['invalid_target', 'audience it does not have'],
  ['unknown_client_id', 'unknown client id'],
  ['unknown_secret', 'unknown secret'],
  ['malformed_secret', 'malformed secret'],
  ['wrong_secret', 'wrong secret'],
  ['wrong_password', 'wrong password'],
  ['expired_secret', 'expired secret'],
  ['retired_secret', 'retired secret'],
  ['expired_password', 'expired password'],
  ['api_user_disabled', 'API user disabled'],
  ['address_not_allowed', 'network not allowed'],
  ['may_not_introspect', 'may not introspect'],
  ['not_its_token', 'token of another'],
  ['api_user_limit', 'limit of the API user'],
  ['address_limit', 'limit of the address'],
  ['failures_limit', 'too many failures'],
  ['temporarily_unavailable', 'store out of reach'],
  ['overloaded', 'too many at once'],
]);

export function reasonText(reason: string): string {
  return REASONS.get(reason) ?? reason.replaceAll('_', ' ');
}
