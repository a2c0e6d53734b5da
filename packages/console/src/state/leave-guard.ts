import { createContext } from 'preact';
import { useContext, useLayoutEffect } from 'preact/hooks';
import { CONSOLE_PATH } from '../../../server/src/http/public/console-pages.ts';
import { createStore, type Store } from './store.ts';

/** What the operator is asked before they leave. */
export interface LeaveQuestion {
  title: string;
  text: string;
}

/** An answer that is awaited. */
export interface PendingLeave {
  question: LeaveQuestion;
  /** Leaves; `route` is the router's. */
  leave(route: (url: string) => void): void;
}

interface Guard {
  question: LeaveQuestion;
  /** The dialog that the guard is in; null: the page. */
  scope: symbol | null;
  /** The address of the guarded page. */
  url: string;
}

export const pendingLeave: Store<PendingLeave | null> = createStore<PendingLeave | null>(null);

/** A dialog sets it, so that closing the dialog asks about what is in the dialog, and not about the page behind it. */
export const LeaveScope = createContext<symbol | null>(null);

/** The innermost is the last. */
const guards = new Set<Guard>();

/** The operator has confirmed to go back: the next `popstate` is theirs. */
let isConfirmed = false;

/** While `active`, nothing leaves the page without `question`: no link, no back button, no reload, no signing out. */
export function useLeaveGuard(active: boolean, question: LeaveQuestion): void {
  const scope = useContext(LeaveScope);
  useLayoutEffect(() => {
    if (!active) return undefined;
    const guard = { question, scope, url: location.href };
    guards.add(guard);
    addEventListener('beforeunload', askBrowser);
    return () => {
      guards.delete(guard);
      if (guards.size === 0) removeEventListener('beforeunload', askBrowser);
      if (pendingLeave.get()?.question === question) pendingLeave.set(null);
    };
  }, [active, question, scope]);
}

/** Leaves at once if there is no guard, else after the operator has confirmed. With a `scope`, only its guards count. */
export function askToLeave(leave: () => void, scope?: symbol): void {
  const guard = [...guards].findLast((one) => scope === undefined || one.scope === scope);
  if (guard === undefined) leave();
  else pendingLeave.set({ question: guard.question, leave });
}

/**
 * Listens for what the router listens for, too. Must run before the router is mounted: listeners of `window` are called in
 * the order in which they were added, and a listener that comes second finds the guarded page already gone.
 */
export function watchLeaving(): void {
  addEventListener('popstate', (event) => {
    const guard = [...guards].at(-1);
    if (guard === undefined || isConfirmed || isSamePage(guard.url)) {
      isConfirmed = false;
      return;
    }
    event.stopImmediatePropagation();
    // The address has changed already. It is put back, so that it names the page that is shown.
    history.pushState(null, '', guard.url);
    ask(guard, () => {
      isConfirmed = true;
      history.back();
    });
  });
  document.addEventListener('click', guardLink, true);
}

function guardLink(event: MouseEvent): void {
  const guard = [...guards].at(-1);
  const link = event.target instanceof Element ? event.target.closest('a[href]') : null;
  if (guard === undefined || !(link instanceof HTMLAnchorElement) || opensElsewhere(event, link)) return;
  const { pathname, search } = new URL(link.href);
  event.preventDefault();
  event.stopPropagation();
  ask(guard, (route) => route(pathname + search));
}

/** Links that the router leaves to the browser: a new tab, a download, another server, a place on the same page. */
function opensElsewhere(event: MouseEvent, link: HTMLAnchorElement): boolean {
  const withKey = event.ctrlKey || event.metaKey || event.altKey || event.shiftKey;
  const isOfConsole = link.origin === location.origin && link.pathname.startsWith(CONSOLE_PATH);
  const opensTab = link.target !== '' && link.target !== '_self';
  return (
    withKey || event.button !== 0 || link.download !== '' || opensTab || !isOfConsole || isSamePage(link.href)
  );
}

function isSamePage(url: string): boolean {
  const { pathname, search } = new URL(url);
  return pathname === location.pathname && search === location.search;
}

function ask({ question }: Guard, leave: PendingLeave['leave']): void {
  pendingLeave.set({ question, leave });
}

function askBrowser(event: BeforeUnloadEvent): void {
  event.preventDefault();
}
