/**
 * The pages of the console, by the path below /console. Both ends read this list: the server answers these paths with
 * the console's document, and the console has a component for each of them.
 */
export const CONSOLE_PAGES = [
  '/',
  '/sign-in',
  '/welcome',
  '/api-users',
  '/api-users/new',
  '/api-users/:clientId',
  '/api-users/:clientId/edit',
  '/api-users/:clientId/first-secret',
  '/api-users/:clientId/reset',
  '/api-users/:clientId/rotate',
  '/api-users/:clientId/cut-off',
  '/audit',
  '/signing-keys',
  '/operators',
  '/profile',
] as const;

export type ConsolePage = (typeof CONSOLE_PAGES)[number];

/** Where the console lives: at the root of the server, whatever the base path of its endpoints is. */
export const CONSOLE_PATH = '/console';

/** What the console must be told, in a `<meta name="mintmark-console">` of its document: an inline script is forbidden. */
export interface ConsoleConfig {
  /** Path of the admin API on the same server. */
  api: string;
  issuer: string;
  token_endpoint: string;
  version: string;
}
