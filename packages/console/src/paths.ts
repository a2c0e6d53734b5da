import { CONSOLE_PATH, ORGANISATIONS_PATH, PORTAL_PATH } from '../../server/src/http/public/console-pages.ts';
import { site } from './site.ts';

const { home } = site;

/** Addresses of pages, for links. Those of API users are of the site that is shown. */
export const paths = {
  overview: `${home}/`,
  signIn: `${home}/sign-in`,
  welcome: site.kind === 'console' ? `${CONSOLE_PATH}/welcome` : `${PORTAL_PATH}/welcome`,
  secret: `${CONSOLE_PATH}/secret`,
  profile: `${home}/profile`,
  apiUsers: site.kind === 'console' ? `${home}/api-users` : `${home}/`,
  newApiUser: `${home}/api-users/new`,
  apiUser: (clientId: string): string => `${home}/api-users/${encodeURIComponent(clientId)}`,
  editApiUser: (clientId: string): string => `${paths.apiUser(clientId)}/edit`,
  firstSecret: (clientId: string): string => `${paths.apiUser(clientId)}/first-secret`,
  reset: (clientId: string): string => `${paths.apiUser(clientId)}/reset`,
  cutOff: (clientId: string): string => `${paths.apiUser(clientId)}/cut-off`,
  handOver: (clientId: string): string => `${paths.apiUser(clientId)}/hand-over`,
  addKey: (clientId: string): string => `${paths.apiUser(clientId)}/add-key`,
  trust: (clientId: string): string => `${paths.apiUser(clientId)}/trust`,
  credential: (clientId: string, id: string): string =>
    `${paths.apiUser(clientId)}/credentials/${encodeURIComponent(id)}`,
  audit: `${home}/audit`,
  // Of the console.
  apiUserClaims: (clientId: string): string => `${paths.apiUser(clientId)}/claims`,
  signingKeys: `${CONSOLE_PATH}/signing-keys`,
  operators: `${CONSOLE_PATH}/operators`,
  organisations: `${CONSOLE_PATH}/organisations`,
  newOrganisation: `${CONSOLE_PATH}/organisations/new`,
  organisation: (id: string): string => `${CONSOLE_PATH}/organisations/${encodeURIComponent(id)}`,
  organisationPolicy: (id: string): string => `${paths.organisation(id)}/policy`,
  organisationClaims: (id: string): string => `${paths.organisation(id)}/claims`,
  audiences: `${CONSOLE_PATH}/audiences`,
  // Of the portal.
  portal: PORTAL_PATH,
  portalOf: (organisationId: string): string => `${ORGANISATIONS_PATH}/${encodeURIComponent(organisationId)}`,
  quickstart: (clientId: string): string => `${paths.apiUser(clientId)}/quickstart`,
  forgotten: `${home}/reset`,
  refusedRequests: `${home}/refused-requests`,
  members: `${home}/members`,
} as const;
