import { useEffect } from 'preact/hooks';

/**
 * While `active`, one does not leave the page by accident: a link, the back button or closing the tab asks first.
 * `onLeave` is given what goes on with leaving.
 */
export function useLeaveGuard(active: boolean, onLeave: (leave: () => void) => void): void {
  useEffect(() => {
    if (!active) return undefined;
    const here = location.href;
    let leaving = false;

    const unload = (event: BeforeUnloadEvent) => event.preventDefault();
    const click = (event: MouseEvent) => {
      const link = event.target instanceof Element ? event.target.closest('a[href]') : null;
      if (leaving || !(link instanceof HTMLAnchorElement) || link.download !== '' || link.target === '_blank')
        return;
      if (link.getAttribute('href')?.startsWith('#') === true || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      event.stopPropagation();
      onLeave(() => {
        leaving = true;
        link.click();
      });
    };
    const back = (event: PopStateEvent) => {
      if (leaving) return;
      // The address has changed already; the router has not heard of it yet.
      event.stopImmediatePropagation();
      history.pushState(null, '', here);
      onLeave(() => {
        leaving = true;
        history.back();
      });
    };

    addEventListener('beforeunload', unload);
    document.addEventListener('click', click, true);
    addEventListener('popstate', back, true);
    return () => {
      removeEventListener('beforeunload', unload);
      document.removeEventListener('click', click, true);
      removeEventListener('popstate', back, true);
    };
  }, [active, onLeave]);
}
