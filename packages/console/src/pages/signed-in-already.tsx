import { useEffect } from 'preact/hooks';
import { useLocation } from 'preact-iso/router';
import { paths } from '../paths.ts';

/** The sign-in page after a sign-in. */
export function SignedInAlready(): null {
  const { route } = useLocation();
  useEffect(() => route(paths.overview, true), [route]);
  return null;
}
