/**
 * Paths of the console's pages, below /console. The server and the console both read these lists: the server
 * answers these paths with the console's document, and the console has a component for each of them.
 */
export const CONSOLE_PAGES = [
  '/',
  '/sign-in',
  '/welcome',
  '/secret',
  '/api-users',
  '/api-users/new',
  '/api-users/:clientId',
  '/api-users/:clientId/edit',
  '/api-users/:clientId/first-secret',
  '/api-users/:clientId/reset',
  '/api-users/:clientId/rotate',
  '/api-users/:clientId/cut-off',
  '/api-users/:clientId/hand-over',
  '/api-users/:clientId/add-key',
  '/api-users/:clientId/trust',
  '/api-users/:clientId/claims',
  '/api-users/:clientId/credentials/:id',
  '/refused-requests',
  '/audit',
  '/signing-keys',
  '/organisations',
  '/organisations/new',
  '/organisations/:organisationId',
  '/organisations/:organisationId/policy',
  '/organisations/:organisationId/claims',
  '/audiences',
  '/operators',
  '/profile',
] as const;

export type ConsolePage = (typeof CONSOLE_PAGES)[number];

/**
 * Paths of the portal's pages, below /portal. It has the document of the console: the address decides which
 * pages it shows.
 */
export const PORTAL_PAGES = ['/', '/sign-in', '/welcome', '/profile'] as const;

export type PortalPage = (typeof PORTAL_PAGES)[number];

/** Pages for the members of one organisation, below /portal/organisations/:organisationId. */
export const ORGANISATION_PAGES = [
  '/',
  '/sign-in',
  '/api-users/new',
  '/api-users/:clientId',
  '/api-users/:clientId/edit',
  '/api-users/:clientId/first-secret',
  '/api-users/:clientId/reset',
  '/api-users/:clientId/cut-off',
  '/api-users/:clientId/add-key',
  '/api-users/:clientId/trust',
  '/api-users/:clientId/quickstart',
  '/api-users/:clientId/credentials/:id',
  '/reset',
  '/refused-requests',
  '/members',
  '/audit',
  '/profile',
] as const;

export type OrganisationPage = (typeof ORGANISATION_PAGES)[number];

/** Path of the console: at the root of the server, whatever the base path of the endpoints is. */
export const CONSOLE_PATH = '/console';

/** Path of the portal, beside the console. The pages of one organisation are below the second one. */
export const PORTAL_PATH = '/portal';
export const ORGANISATIONS_PATH = '/portal/organisations';

/** The document carries it in a `<meta name="mintmark-console">`, because inline scripts are forbidden. */
export interface ConsoleConfig {
  /** Path of the admin API on the same server. */
  api: string;
  /** Path of the API of the portal. */
  portal_api: string;
  issuer: string;
  token_endpoint: string;
  version: string;
}
