import type { ComponentType } from 'preact';
import type {
  ConsolePage,
  OrganisationPage,
  PortalPage,
} from '../../server/src/http/public/console-pages.ts';
import { AddKeyPage } from './pages/add-key.tsx';
import { AfterCutOffPage } from './pages/after-cut-off.tsx';
import { ApiUserClaimsPage } from './pages/api-user-claims.tsx';
import { ApiUserPage } from './pages/api-user.tsx';
import { ApiUsersPage } from './pages/api-users.tsx';
import { AudiencesPage } from './pages/audiences.tsx';
import { AuditPage } from './pages/audit.tsx';
import { CredentialPage } from './pages/credential.tsx';
import { EditApiUserPage } from './pages/edit-api-user.tsx';
import { FirstSecretPage } from './pages/first-secret.tsx';
import { HandOverPage } from './pages/hand-over.tsx';
import { NewApiUserPage } from './pages/new-api-user.tsx';
import { OpenSecretPage } from './pages/open-secret.tsx';
import { OperatorsPage } from './pages/operators.tsx';
import { OrganisationClaimsPage } from './pages/organisation-claims.tsx';
import { OrganisationPage as OneOrganisationPage } from './pages/organisation.tsx';
import { OrganisationPolicyPage } from './pages/organisation-policy.tsx';
import { OrganisationsPage } from './pages/organisations.tsx';
import { NewOrganisationPage } from './pages/new-organisation.tsx';
import { OverviewPage } from './pages/overview.tsx';
import { ProfilePage } from './pages/profile.tsx';
import { RefusedRequestsPage } from './pages/refused-requests.tsx';
import { FormerResetPage, ResetPage } from './pages/reset.tsx';
import { SignedInAlready } from './pages/signed-in-already.tsx';
import { SigningKeysPage } from './pages/signing-keys.tsx';
import { TrustPage } from './pages/trust.tsx';
import { WelcomePage } from './pages/welcome.tsx';
import { ChoosePage } from './portal/choose.tsx';
import { ForgottenPage } from './portal/forgotten.tsx';
import { MembersPage } from './portal/members-page.tsx';
import { QuickstartPage } from './portal/quickstart.tsx';
import { StartPage } from './portal/start.tsx';
import { site, type Site } from './site.ts';

const CONSOLE: Record<ConsolePage, ComponentType> = {
  '/': OverviewPage,
  '/sign-in': SignedInAlready,
  '/welcome': WelcomePage,
  '/secret': OpenSecretPage,
  '/api-users': ApiUsersPage,
  '/api-users/new': NewApiUserPage,
  '/api-users/:clientId': ApiUserPage,
  '/api-users/:clientId/edit': EditApiUserPage,
  '/api-users/:clientId/first-secret': FirstSecretPage,
  '/api-users/:clientId/reset': ResetPage,
  '/api-users/:clientId/rotate': FormerResetPage,
  '/api-users/:clientId/cut-off': AfterCutOffPage,
  '/api-users/:clientId/hand-over': HandOverPage,
  '/api-users/:clientId/add-key': AddKeyPage,
  '/api-users/:clientId/trust': TrustPage,
  '/api-users/:clientId/claims': ApiUserClaimsPage,
  '/api-users/:clientId/credentials/:id': CredentialPage,
  '/refused-requests': RefusedRequestsPage,
  '/audit': AuditPage,
  '/signing-keys': SigningKeysPage,
  '/organisations': OrganisationsPage,
  '/organisations/new': NewOrganisationPage,
  '/organisations/:organisationId': OneOrganisationPage,
  '/organisations/:organisationId/policy': OrganisationPolicyPage,
  '/organisations/:organisationId/claims': OrganisationClaimsPage,
  '/audiences': AudiencesPage,
  '/operators': OperatorsPage,
  '/profile': ProfilePage,
};

const PORTAL: Record<PortalPage, ComponentType> = {
  '/': ChoosePage,
  '/sign-in': SignedInAlready,
  '/welcome': WelcomePage,
  '/profile': ProfilePage,
};

const ORGANISATION: Record<OrganisationPage, ComponentType> = {
  '/': StartPage,
  '/sign-in': SignedInAlready,
  '/api-users/new': NewApiUserPage,
  '/api-users/:clientId': ApiUserPage,
  '/api-users/:clientId/edit': EditApiUserPage,
  '/api-users/:clientId/first-secret': FirstSecretPage,
  '/api-users/:clientId/reset': ResetPage,
  '/api-users/:clientId/cut-off': AfterCutOffPage,
  '/api-users/:clientId/add-key': AddKeyPage,
  '/api-users/:clientId/trust': TrustPage,
  '/api-users/:clientId/quickstart': QuickstartPage,
  '/api-users/:clientId/credentials/:id': CredentialPage,
  '/reset': ForgottenPage,
  '/refused-requests': RefusedRequestsPage,
  '/members': MembersPage,
  '/audit': AuditPage,
  '/profile': ProfilePage,
};

const OF_SITES: Record<Site['kind'], Record<string, ComponentType>> = {
  console: CONSOLE,
  portal: PORTAL,
  organisation: ORGANISATION,
};

/** The component of each page of this site, by its path below the site's. */
export const SITE_PAGES: Readonly<Record<string, ComponentType>> = OF_SITES[site.kind];
