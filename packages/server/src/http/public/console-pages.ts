/**
 * Paths of the console's pages, below /console. The server and the console both read this list: the server
 * answers these paths with the console's document, and the console has a component for each of them.
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
  '/api-users/:clientId/add-key',
  '/api-users/:clientId/trust',
  '/api-users/:clientId/credentials/:id',
  '/audit',
  '/signing-keys',
  '/operators',
  '/profile',
] as const;

export type ConsolePage = (typeof CONSOLE_PAGES)[number];

/** Path of the console: at the root of the server, whatever the base path of the endpoints is. */
export const CONSOLE_PATH = '/console';

/** The document carries it in a `<meta name="mintmark-console">`, because inline scripts are forbidden. */
export interface ConsoleConfig {
  /** Path of the admin API on the same server. */
  api: string;
  issuer: string;
  token_endpoint: string;
  version: string;
}
