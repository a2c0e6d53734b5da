export { AuthenticationApi } from './authentication-api.ts';
export type { RequestOptions, TokenResponseWithHttpInfo } from './authentication-api.ts';
export type { OAuth2TokenPostParameters } from './token-request.ts';
export { InlineResponse200 } from './inline-response-200.ts';
export { Configuration } from './configuration.ts';
export type { ConfigurationParameters } from './configuration.ts';
export type { ClientAssertion, ClientSecret, FetchFunction, ProofContext, Settings } from './settings.ts';
export { ConfigurationError } from './configuration-error.ts';
export type { RetryPolicy } from './retry.ts';
export type { Clock } from './clock.ts';
export {
  ApiException,
  BadRequestException,
  ConnectionException,
  ForbiddenException,
  MalformedResponseException,
  RateLimitException,
  ServerException,
  TimeoutException,
} from './api-exception.ts';
export type { ApiExceptionCode, ApiExceptionDetails } from './api-exception.ts';
export type {
  ClientEvent,
  EventListener,
  FailureEvent,
  RenewalEvent,
  RequestEvent,
  ResponseEvent,
  RetryEvent,
} from './events.ts';
export { TokenManager } from './token-manager.ts';
export type { TokenManagerOptions } from './token-manager.ts';
export { TokenManagerPool } from './token-manager-pool.ts';
export type { TokenManagerPoolOptions } from './token-manager-pool.ts';
export type { TokenStore } from './token-store.ts';
export type { RenewalWindows } from './held-token.ts';
export type { WithTokenOptions } from './token-fetch.ts';
