import { CONSOLE_PATH, ORGANISATIONS_PATH, PORTAL_PATH } from '../../server/src/http/public/console-pages.ts';
import { config } from './config.ts';

/** The pages that this document shows. */
export interface Site {
  /**
   * `console`: for operators. `organisation`: the portal of one organisation. `portal`: the pages of the
   * portal without an organisation.
   */
  kind: 'console' | 'portal' | 'organisation';
  /** Path of the pages. */
  home: string;
  /** Path of the API for everything but sessions, the profile and invitations. */
  api: string;
  /** Null outside of an organisation. */
  organisationId: string | null;
}

/**
 * The address decides when the document is loaded. A link to another site loads another document: a page
 * shows data of one organisation only.
 */
export const site: Readonly<Site> = siteOf(location.pathname);

function siteOf(path: string): Site {
  const organisation = /^\/portal\/organisations\/([^/]+)/.exec(path)?.[1];
  if (organisation !== undefined) {
    return {
      kind: 'organisation',
      home: `${ORGANISATIONS_PATH}/${organisation}`,
      api: `${config.portal_api}/organisations/${organisation}`,
      organisationId: organisation,
    };
  }
  const isPortal = path === PORTAL_PATH || path.startsWith(`${PORTAL_PATH}/`);
  return isPortal
    ? { kind: 'portal', home: PORTAL_PATH, api: config.portal_api, organisationId: null }
    : { kind: 'console', home: CONSOLE_PATH, api: config.api, organisationId: null };
}

/** Whether a path is of this site: the others need another document. */
export function isOfSite(path: string): boolean {
  return path === site.home || SCOPE.test(path);
}

/** The paths of this site, for the router. */
export const SCOPE: RegExp =
  site.kind === 'portal' ? /^\/portal(?!\/organisations\/)([/?]|$)/ : new RegExp(`^${site.home}([/?]|$)`);
