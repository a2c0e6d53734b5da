import type { FetchFunction } from './settings.ts';
import type { TokenManager } from './token-manager.ts';
import type { WithTokenOptions } from './token-fetch.ts';

/**
 * Parameters for the `Configuration` of a client generated with openapi-generator's typescript-fetch:
 * `new Configuration({ basePath, ...tokenConfiguration(manager) })`. Every operation carries the token, also those whose
 * description names no security, and a generated OAuth2 operation, which would send the token without `Bearer`.
 */
export function tokenConfiguration(
  manager: TokenManager,
  options?: WithTokenOptions,
): { readonly fetchApi: FetchFunction } {
  return { fetchApi: manager.withToken(manager.configuration.fetch, options) };
}
