import { ConfigurationError } from './configuration-error.ts';

// As the URL parser writes host names: letter case, short and hexadecimal forms of an address are gone.
const loopback = /^(localhost|127\.[\d.]+|\[::1\])$/;

/**
 * Checks that a secret or a token may be sent to a URL: whoever is on the way reads what plain HTTP carries (RFC 6750
 * §5.3). A relative URL goes where the page came from.
 *
 * @throws ConfigurationError that says what to do.
 */
export function mustBeSecure(option: string, url: string, allowInsecure: boolean | undefined): void {
  // What is no URL fetch refuses itself.
  if (allowInsecure || !/^\s*http:/i.test(url) || !URL.canParse(url)) return;
  const { origin, hostname } = new URL(url);
  if (loopback.test(hostname)) return;
  throw new ConfigurationError(
    option,
    `must use https, not ${origin}: plain HTTP shows secrets and tokens to everybody on the way. In a network that you ` +
      'trust, set allowInsecure (or MINTMARK_CLIENT_ALLOW_INSECURE=true)',
  );
}
