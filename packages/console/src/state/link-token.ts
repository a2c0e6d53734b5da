/** The token in the fragment of a link to this page. Removes it from the address bar and the history. */
export function takeLinkToken(path: string): string {
  if (location.pathname !== path) return '';
  const fragment = location.hash.slice(1);
  if (fragment !== '') history.replaceState(null, '', location.pathname);
  return fragment;
}
