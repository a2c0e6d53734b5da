import { ConfigurationError } from './configuration-error.ts';

// The URL parser has lowered the case and expanded short and hexadecimal addresses.
export const loopback: RegExp = /^(localhost|127\.[\d.]+|\[::1\])$/;

/**
 * Refuses to send secrets or tokens over plain HTTP, which anyone on the network can read (RFC 6750 §5.3). A
 * relative URL is allowed: it has the page's own scheme.
 *
 * @throws ConfigurationError that says what to do.
 */
export function mustBeSecure(option: string, url: string, allowInsecure: boolean | undefined): void {
  // `fetch` itself rejects invalid URLs.
  if (allowInsecure || !/^\s*http:/i.test(url) || !URL.canParse(url)) return;
  const { origin, hostname } = new URL(url);
  if (loopback.test(hostname)) return;
  throw new ConfigurationError(
    option,
    `must use https, not ${origin}: anyone on the network can read it. In a network that you trust, ` +
      'set allowInsecure (or MINTMARK_CLIENT_ALLOW_INSECURE=true)',
  );
}
