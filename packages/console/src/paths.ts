import { CONSOLE_PATH } from '../../server/src/http/public/console-pages.ts';

/** Addresses of pages, for links. */
export const paths = {
  overview: `${CONSOLE_PATH}/`,
  signIn: `${CONSOLE_PATH}/sign-in`,
  welcome: `${CONSOLE_PATH}/welcome`,
  apiUsers: `${CONSOLE_PATH}/api-users`,
  newApiUser: `${CONSOLE_PATH}/api-users/new`,
  apiUser: (clientId: string): string => `${CONSOLE_PATH}/api-users/${encodeURIComponent(clientId)}`,
  editApiUser: (clientId: string): string => `${paths.apiUser(clientId)}/edit`,
  firstSecret: (clientId: string): string => `${paths.apiUser(clientId)}/first-secret`,
  reset: (clientId: string): string => `${paths.apiUser(clientId)}/reset`,
  cutOff: (clientId: string): string => `${paths.apiUser(clientId)}/cut-off`,
  addKey: (clientId: string): string => `${paths.apiUser(clientId)}/add-key`,
  trust: (clientId: string): string => `${paths.apiUser(clientId)}/trust`,
  credential: (clientId: string, id: string): string =>
    `${paths.apiUser(clientId)}/credentials/${encodeURIComponent(id)}`,
  audit: `${CONSOLE_PATH}/audit`,
  signingKeys: `${CONSOLE_PATH}/signing-keys`,
  operators: `${CONSOLE_PATH}/operators`,
  profile: `${CONSOLE_PATH}/profile`,
} as const;
