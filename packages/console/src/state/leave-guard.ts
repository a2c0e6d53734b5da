import { createContext } from 'preact';
import { useContext, useLayoutEffect } from 'preact/hooks';
import { isOfSite } from '../site.ts';
import { createStore, type Store } from './store.ts';

/** The question before the operator leaves a page. */
export interface LeaveQuestion {
  title: string;
  text: string;
}

/** A question that waits for its answer. */
export interface PendingLeave {
  question: LeaveQuestion;
  /** Leaves the page; `route` is the router's. */
  leave(route: (url: string) => void): void;
}

interface Guard {
  question: LeaveQuestion;
  /** The dialog of the guard; null: the page. */
  scope: symbol | null;
  /** URL of the guarded page. */
  url: string;
}

export const pendingLeave: Store<PendingLeave | null> = createStore<PendingLeave | null>(null);

/** Set by a dialog, so that closing it asks only about its own fields, not the page behind it. */
export const LeaveScope = createContext<symbol | null>(null);

/** The last one is the innermost. */
const guards = new Set<Guard>();

/** The operator confirmed going back: allow the next `popstate`. */
let isConfirmed = false;

/** While `active`, links, the back button, reloads and signing out first ask `question`. */
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

/** Leaves at once without a guard, else after the operator confirms. `scope` selects the guards. */
export function askToLeave(leave: () => void, scope?: symbol): void {
  const guard = [...guards].findLast((one) => scope === undefined || one.scope === scope);
  if (guard === undefined) leave();
  else pendingLeave.set({ question: guard.question, leave });
}

/**
 * Listens to the router's events. Call it before the router is mounted: `window` calls listeners in the order
 * of their registration, and after the router's the guarded page is gone.
 */
export function watchLeaving(): void {
  addEventListener('popstate', (event) => {
    const guard = [...guards].at(-1);
    if (guard === undefined || isConfirmed || isSamePage(guard.url)) {
      isConfirmed = false;
      return;
    }
    event.stopImmediatePropagation();
    // The address has changed. Restore that of the visible page.
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

/** Links that the router leaves to the browser: a new tab, a download, another server or an anchor. */
function opensElsewhere(event: MouseEvent, link: HTMLAnchorElement): boolean {
  const withKey = event.ctrlKey || event.metaKey || event.altKey || event.shiftKey;
  const isOfThis = link.origin === location.origin && isOfSite(link.pathname);
  const opensTab = link.target !== '' && link.target !== '_self';
  return (
    withKey || event.button !== 0 || link.download !== '' || opensTab || !isOfThis || isSamePage(link.href)
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
