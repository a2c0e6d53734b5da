import type { ComponentType, JSX } from 'preact';
import { useEffect, useErrorBoundary } from 'preact/hooks';
import { LocationProvider, Route, Router, useLocation } from 'preact-iso/router';
import { CONSOLE_PAGES, CONSOLE_PATH, type ConsolePage } from '../../server/src/http/public/console-pages.ts';
import { loadSession } from './api/session.ts';
import { AddKeyPage } from './pages/add-key.tsx';
import { AfterCutOffPage } from './pages/after-cut-off.tsx';
import { ApiUserPage } from './pages/api-user.tsx';
import { ApiUsersPage } from './pages/api-users.tsx';
import { AuditPage } from './pages/audit.tsx';
import { CredentialPage } from './pages/credential.tsx';
import { EditApiUserPage } from './pages/edit-api-user.tsx';
import { FirstSecretPage } from './pages/first-secret.tsx';
import { NewApiUserPage } from './pages/new-api-user.tsx';
import { NotFoundPage } from './pages/not-found.tsx';
import { OperatorsPage } from './pages/operators.tsx';
import { OverviewPage } from './pages/overview.tsx';
import { ProfilePage } from './pages/profile.tsx';
import { FormerResetPage, ResetPage } from './pages/reset.tsx';
import { Door, SignInForm, SignInPage } from './pages/sign-in.tsx';
import { SigningKeysPage } from './pages/signing-keys.tsx';
import { TrustPage } from './pages/trust.tsx';
import { WelcomePage } from './pages/welcome.tsx';
import { paths } from './paths.ts';
import { connection } from './state/connection.ts';
import { startLive, stopLive } from './state/live.ts';
import { present, watchPresence } from './state/presence.ts';
import { forgetAnswers } from './state/resource.ts';
import { session, useActor } from './state/session.ts';
import { useStore } from './state/store.ts';
import { useAction } from './ui/action.ts';
import { Announcer } from './ui/announcer.tsx';
import { Button, LinkButton } from './ui/button.tsx';
import { Dialog } from './ui/dialog.tsx';
import { LeaveDialog } from './ui/leave-dialog.tsx';
import { Failure } from './ui/notice.tsx';
import { Page } from './ui/page.tsx';
import { Shell, SignOutButton } from './ui/shell.tsx';

const PAGES: Record<ConsolePage, ComponentType> = {
  '/': OverviewPage,
  '/sign-in': SignedInAlready,
  '/welcome': WelcomePage,
  '/api-users': ApiUsersPage,
  '/api-users/new': NewApiUserPage,
  '/api-users/:clientId': ApiUserPage,
  '/api-users/:clientId/edit': EditApiUserPage,
  '/api-users/:clientId/first-secret': FirstSecretPage,
  '/api-users/:clientId/reset': ResetPage,
  '/api-users/:clientId/rotate': FormerResetPage,
  '/api-users/:clientId/cut-off': AfterCutOffPage,
  '/api-users/:clientId/add-key': AddKeyPage,
  '/api-users/:clientId/trust': TrustPage,
  '/api-users/:clientId/credentials/:id': CredentialPage,
  '/audit': AuditPage,
  '/signing-keys': SigningKeysPage,
  '/operators': OperatorsPage,
  '/profile': ProfilePage,
};

export function App(): JSX.Element {
  return (
    <LocationProvider scope={CONSOLE_PATH}>
      <OfflineBanner />
      <Gate />
      <LeaveDialog />
      <Announcer />
    </LocationProvider>
  );
}

/** The session decides what is shown: nothing yet, the sign-in, or the requested page. */
function Gate(): JSX.Element | null {
  const { path } = useLocation();
  const state = useStore(session);
  const loading = useAction(loadSession);
  const { run } = loading;
  useEffect(() => {
    watchPresence();
    run();
  }, [run]);

  const isThere = useStore(present);
  const follows = state.is === 'in' && isThere;
  useEffect(() => {
    if (!follows) return undefined;
    startLive();
    return stopLive;
  }, [follows]);
  useEffect(() => {
    if (state.is === 'out') forgetAnswers();
  }, [state.is]);

  // Invitation links work with or without a session, also another operator's.
  if (path === paths.welcome) return <WelcomePage />;
  switch (state.is) {
    case 'unknown':
      if (loading.error === undefined) return null;
      return (
        <Door title="Server unavailable">
          <Failure error={loading.error} />
          <div>
            <Button kind="primary" busy={loading.busy} onClick={run}>
              Try again
            </Button>
          </div>
        </Door>
      );
    case 'out':
      return isPage(path) ? <SignInPage /> : <NoSuchPageDoor />;
    case 'in':
    case 'ended':
      return (
        <>
          <Shell>
            <Pages />
          </Shell>
          {state.is === 'ended' && <SignInAgain />}
        </>
      );
  }
}

const ROUTES = CONSOLE_PAGES.map((page) => ({ path: CONSOLE_PATH + page, component: guarded(PAGES[page]) }));

const PATTERNS = CONSOLE_PAGES.map(
  (page) => new RegExp(`^${CONSOLE_PATH}${page.replaceAll(/:\w+/g, '[^/]+')}/?$`),
);

function isPage(path: string): boolean {
  return isReadable(path) && (path === CONSOLE_PATH || PATTERNS.some((pattern) => pattern.test(path)));
}

/** False for invalid percent encoding, for which the router would throw. */
function isReadable(path: string): boolean {
  try {
    return decodeURIComponent(path) !== ''; // compared, so that the build keeps the call
  } catch {
    return false;
  }
}

function NoSuchPageDoor(): JSX.Element {
  return (
    <Door title="There is no such page">
      <p>There is no page at this address. It may be incomplete or mistyped.</p>
      <div>
        <LinkButton href={paths.overview}>Go to the overview</LinkButton>
      </div>
    </Door>
  );
}

function Pages(): JSX.Element {
  const { path: shown } = useLocation();
  if (!isReadable(shown)) return <NotFoundPage />;
  return (
    <Router>
      {ROUTES.map(({ path, component }) => (
        <Route key={path} path={path} component={component} />
      ))}
      <Route key="default" default component={NotFoundPage} />
    </Router>
  );
}

/** A page that fails leaves the navigation and the other pages working. */
function guarded(Component: ComponentType): ComponentType {
  return function Guarded() {
    const [error] = useErrorBoundary();
    if (error === undefined) return <Component />;
    return (
      <Page title="This page failed">
        <Failure error={error} />
        <div>
          <Button onClick={() => location.reload()}>Reload</Button>
        </div>
      </Page>
    );
  };
}

function SignInAgain(): JSX.Element {
  const actor = useActor();
  return (
    <Dialog title="Your session has ended" closable={false} onClose={() => undefined}>
      <p class="soft">Sign in again to continue. This page keeps everything you typed.</p>
      <SignInForm email={actor?.name ?? ''} />
      <SignOutButton />
    </Dialog>
  );
}

function SignedInAlready(): null {
  const { route } = useLocation();
  useEffect(() => route(paths.overview, true), [route]);
  return null;
}

function OfflineBanner(): JSX.Element | null {
  const state = useStore(connection);
  const retry = useAction(loadSession);
  if (state === 'online') return null;
  return (
    <div class="banner" role="alert">
      The server cannot be reached. What you see may be old; it is tried again every few seconds.
      <Button small busy={retry.busy} onClick={() => retry.run()}>
        Try now
      </Button>
    </div>
  );
}
