import type { ComponentType, JSX } from 'preact';
import { useEffect, useErrorBoundary } from 'preact/hooks';
import { LocationProvider, Route, Router, useLocation } from 'preact-iso/router';
import { loadSession } from './api/session.ts';
import { NotFoundPage } from './pages/not-found.tsx';
import { OpenSecretPage } from './pages/open-secret.tsx';
import { Door, SignInForm, SignInPage } from './pages/sign-in.tsx';
import { WelcomePage } from './pages/welcome.tsx';
import { paths } from './paths.ts';
import { SCOPE, site } from './site.ts';
import { SITE_PAGES } from './site-pages.ts';
import { connection } from './state/connection.ts';
import { startLive, stopLive } from './state/live.ts';
import { present, watchPresence } from './state/presence.ts';
import { organisation } from './state/organisation.ts';
import { forgetAnswers } from './state/resource.ts';
import { session, useActor } from './state/session.ts';
import { OrganisationGate } from './portal/organisation-gate.tsx';
import { useStore } from './state/store.ts';
import { useAction } from './ui/action.ts';
import { Announcer } from './ui/announcer.tsx';
import { Button, LinkButton } from './ui/button.tsx';
import { Dialog } from './ui/dialog.tsx';
import { LeaveDialog } from './ui/leave-dialog.tsx';
import { Failure } from './ui/notice.tsx';
import { Page } from './ui/page.tsx';
import { Shell, SignOutButton } from './ui/shell.tsx';

export function App(): JSX.Element {
  return (
    <LocationProvider scope={SCOPE}>
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
  const follows = state.is === 'in' && isThere && site.kind !== 'portal';
  useEffect(() => {
    if (!follows) return undefined;
    startLive();
    return stopLive;
  }, [follows]);
  useEffect(() => {
    if (state.is !== 'out') return;
    forgetAnswers();
    organisation.set(null);
  }, [state.is]);

  // Links work with or without a session, also another operator's.
  if (path === paths.welcome) return <WelcomePage />;
  if (path === paths.secret) return <OpenSecretPage />;
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
          <SignedIn />
          {state.is === 'ended' && <SignInAgain />}
        </>
      );
  }
}

function SignedIn(): JSX.Element {
  const actor = useActor();
  if (site.kind === 'console' && actor?.role === 'none') return <NoOperatorDoor />;
  const pages = (
    <Shell>
      <Pages />
    </Shell>
  );
  return site.kind === 'organisation' ? <OrganisationGate>{pages}</OrganisationGate> : pages;
}

function NoOperatorDoor(): JSX.Element {
  return (
    <Door title="This is for operators">
      <p>Your account manages the API users of an organisation. You do that in the portal.</p>
      <div class="row">
        <LinkButton kind="primary" href={paths.portal}>
          Go to the portal
        </LinkButton>
        <SignOutButton />
      </div>
    </Door>
  );
}

const { home } = site;
const ADDRESSES = Object.keys(SITE_PAGES);
const ROUTES = Object.entries(SITE_PAGES).map(([page, Component]) => ({
  path: home + page,
  component: guarded(Component),
}));

const PATTERNS = ADDRESSES.map((page) => new RegExp(`^${home}${page.replaceAll(/:\w+/g, '[^/]+')}/?$`));

function isPage(path: string): boolean {
  return isReadable(path) && (path === home || PATTERNS.some((pattern) => pattern.test(path)));
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
        <LinkButton href={paths.overview}>Go to the start page</LinkButton>
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
