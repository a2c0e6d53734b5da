/** An API user's path in the admin API. */
export function apiUserPath(clientId: string): string {
  return `/api-users/${encodeURIComponent(clientId)}`;
}
