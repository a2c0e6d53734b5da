import type { ComponentChildren, JSX } from 'preact';
import { useLocation } from 'preact-iso/router';
import { signOut } from '../api/session.ts';
import { config } from '../config.ts';
import { paths } from '../paths.ts';
import { connection } from '../state/connection.ts';
import { announce } from '../state/announce.ts';
import { askToLeave } from '../state/leave-guard.ts';
import { liveState } from '../state/live.ts';
import { useActor } from '../state/session.ts';
import { useStore } from '../state/store.ts';
import { messageOf } from '../api/problem.ts';
import { Button } from './button.tsx';
import { Icon, Mark, type IconName } from './icon.tsx';

interface NavigationItem {
  href: string;
  text: string;
  /** For narrow screens. */
  short?: string;
  icon: IconName;
}

const NAVIGATION: readonly NavigationItem[] = [
  { href: paths.overview, text: 'Overview', icon: 'overview' },
  { href: paths.apiUsers, text: 'API users', icon: 'users' },
  { href: paths.audit, text: 'Audit', icon: 'audit' },
  { href: paths.signingKeys, text: 'Signing keys', short: 'Keys', icon: 'key' },
  { href: paths.operators, text: 'Operators', icon: 'operators' },
  { href: paths.profile, text: 'Profile', icon: 'profile' },
];

/** The frame of every page after sign-in. */
export function Shell({ children }: { children: ComponentChildren }): JSX.Element {
  return (
    <>
      <a class="skip" href="#main">
        Skip to content
      </a>
      <div class="shell">
        <Sidebar />
        <main class="main" id="main" tabIndex={-1}>
          {children}
        </main>
      </div>
    </>
  );
}

function Sidebar(): JSX.Element {
  const { path } = useLocation();
  const actor = useActor();
  return (
    <header class="sidebar">
      <a class="brand" href={paths.overview}>
        <Mark />
        Mintmark
      </a>
      <nav class="nav" aria-label="Console">
        <ul>
          {NAVIGATION.map(({ href, text, short, icon }) => (
            <li key={href}>
              <a href={href} aria-current={isWithin(path, href) ? 'page' : undefined} aria-label={text}>
                <Icon name={icon} size={20} />
                <span class={short === undefined ? undefined : 'long'}>{text}</span>
                {short !== undefined && <span class="short">{short}</span>}
              </a>
            </li>
          ))}
        </ul>
      </nav>
      <div class="sidebar-foot">
        <LiveMark />
        <div class="who">
          {actor?.name}
          <br />
          <span class="soft">{actor?.role}</span>
        </div>
        <SignOutButton />
        <span class="soft">Mintmark {config.version}</span>
      </div>
    </header>
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
