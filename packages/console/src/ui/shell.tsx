import type { ComponentChildren, JSX } from 'preact';
import { useLocation } from 'preact-iso/router';
import { signOut } from '../api/session.ts';
import { config } from '../config.ts';
import { cut } from '../format.ts';
import { paths } from '../paths.ts';
import { connection } from '../state/connection.ts';
import { announce } from '../state/announce.ts';
import { askToLeave } from '../state/leave-guard.ts';
import { liveState } from '../state/live.ts';
import { organisation } from '../state/organisation.ts';
import { useActor, useOwnOrganisations } from '../state/session.ts';
import { site } from '../site.ts';
import { useStore } from '../state/store.ts';
import { messageOf } from '../api/problem.ts';
import { Button, LinkButton } from './button.tsx';
import { Icon, Mark, type IconName } from './icon.tsx';

interface NavigationItem {
  href: string;
  text: string;
  /** For narrow screens. */
  short?: string;
  /** The name for screen readers, which has to contain both texts. */
  label?: string;
  icon: IconName;
}

const CONSOLE: readonly NavigationItem[] = [
  { href: paths.overview, text: 'Overview', icon: 'overview' },
  { href: paths.apiUsers, text: 'API users', icon: 'users' },
  {
    href: paths.organisations,
    text: 'Organisations',
    short: 'Orgs',
    label: 'Organisations, Orgs',
    icon: 'organisation',
  },
  { href: paths.audit, text: 'Audit', icon: 'audit' },
  { href: paths.signingKeys, text: 'Signing keys', short: 'Keys', icon: 'key' },
  { href: paths.operators, text: 'Operators', icon: 'operators' },
  { href: paths.profile, text: 'Profile', icon: 'profile' },
];

const PORTAL: readonly NavigationItem[] = [
  { href: paths.overview, text: 'Organisations', icon: 'organisation' },
  { href: paths.profile, text: 'Profile', icon: 'profile' },
];

const ORGANISATION: readonly NavigationItem[] = [
  { href: paths.apiUsers, text: 'API users', icon: 'users' },
  { href: paths.refusedRequests, text: 'Refused calls', short: 'Refused', icon: 'stop' },
  { href: paths.members, text: 'Members', icon: 'operators' },
];
const ORGANISATION_ADMIN: readonly NavigationItem[] = [{ href: paths.audit, text: 'Audit', icon: 'audit' }];
const PROFILE: NavigationItem = { href: paths.profile, text: 'Profile', icon: 'profile' };

function useNavigation(): readonly NavigationItem[] {
  const shown = useStore(organisation);
  if (site.kind === 'console') return CONSOLE;
  if (site.kind === 'portal') return PORTAL;
  return [...ORGANISATION, ...(shown?.role === 'admin' ? ORGANISATION_ADMIN : []), PROFILE];
}

/** The frame of every page after sign-in. */
export function Shell({ children }: { children: ComponentChildren }): JSX.Element {
  return (
    <>
      <a class="skip" href="#main">
        Skip to content
      </a>
      <ViewAs />
      <div class="shell">
        <Sidebar />
        <main class="main" id="main" tabIndex={-1}>
          {children}
        </main>
      </div>
    </>
  );
}

/** Tells operators that they see the pages of an organisation's members. */
function ViewAs(): JSX.Element | null {
  const shown = useStore(organisation);
  if (shown?.role !== 'viewer') return null;
  return (
    <div class="banner view-as" role="status">
      You see {cut(shown.name)} as its members do. Nothing can be changed here, and the audit log shows that
      you looked.
      <LinkButton small href={paths.organisation(shown.id)}>
        Back to the console
      </LinkButton>
    </div>
  );
}

function Sidebar(): JSX.Element {
  const { path } = useLocation();
  const items = useNavigation();
  return (
    <header class="sidebar">
      <a class="brand" href={paths.overview}>
        <Mark />
        Mintmark
      </a>
      {site.kind === 'organisation' && <OrganisationName />}
      <nav class="nav" aria-label={site.kind === 'console' ? 'Console' : 'Portal'}>
        <ul>
          {items.map(({ href, text, short, label, icon }) => (
            <li key={href}>
              <a
                href={href}
                aria-current={isWithin(path, href) ? 'page' : undefined}
                aria-label={label ?? text}
              >
                <Icon name={icon} size={20} />
                <span class={short === undefined ? undefined : 'long'}>{text}</span>
                {short !== undefined && <span class="short">{short}</span>}
              </a>
            </li>
          ))}
        </ul>
      </nav>
      <div class="sidebar-foot">
        {site.kind === 'console' && <LiveMark />}
        <Who />
        <SignOutButton />
        <span class="soft">Mintmark {config.version}</span>
      </div>
    </header>
  );
}

/** The organisation that the pages are about; a link if the person has others. */
function OrganisationName(): JSX.Element {
  const shown = useStore(organisation);
  const hasOthers = useOwnOrganisations().length > 1;
  return (
    <div class="organisation-name">
      <strong class="breakable">{cut(shown?.name ?? '')}</strong>
      {hasOthers && (
        <a class="small" href={paths.portal}>
          Your other organisations
        </a>
      )}
    </div>
  );
}

function Who(): JSX.Element {
  const actor = useActor();
  const shown = useStore(organisation);
  const role = site.kind === 'organisation' ? shown?.role : actor?.role;
  return (
    <div class="who">
      {actor?.name}
      {role !== undefined && role !== 'none' && (
        <>
          <br />
          <span class="soft">{role}</span>
        </>
      )}
    </div>
  );
}

export function SignOutButton(): JSX.Element {
  const leave = () => {
    signOut().catch((error: unknown) => announce(messageOf(error), { kind: 'failed' }));
  };
  return (
    <Button small icon="out" onClick={() => askToLeave(leave)}>
      Sign out
    </Button>
  );
}

/** Shows whether the page updates itself. */
export function LiveMark(): JSX.Element {
  const stream = useStore(liveState);
  // A stream may look open for some time after the network failed.
  const state = useStore(connection) === 'offline' ? 'away' : stream;
  const text = { live: 'Live', connecting: 'Connecting…', away: 'Offline: reconnecting…', paused: 'Paused' }[
    state
  ];
  const kind = { live: 'live-on', connecting: '', away: 'live-away', paused: '' }[state];
  return <span class={`live ${kind}`}>{text}</span>;
}

function isWithin(path: string, href: string): boolean {
  const target = href.replace(/\/$/, '');
  if (href === paths.overview) return path.replace(/\/$/, '') === target;
  return path === target || path.startsWith(`${target}/`);
}
