import type { FastifyRequest } from 'fastify';
import { Problem } from './problem.ts';

/**
 * Refuses requests that another site made a browser send with an operator's cookie (docs/decisions/042).
 * Browsers name the origin of a request in headers that no page can set: `Sec-Fetch-Site`, or `Origin` in
 * older browsers. One of them is required.
 */
export function refuseCrossSite(request: FastifyRequest, issuer: string): void {
  if (siteOf(request, issuer) !== 'same') throw crossSite();
}

/** Like `refuseCrossSite`, but accepts a request without either header: programs may sign in, too. */
export function refuseOtherSites(request: FastifyRequest, issuer: string): void {
  if (siteOf(request, issuer) === 'other') throw crossSite();
}

function siteOf({ headers }: FastifyRequest, issuer: string): 'same' | 'other' | 'unknown' {
  const site = headers['sec-fetch-site'];
  if (site !== undefined) return site === 'same-origin' ? 'same' : 'other';
  const { origin, host } = headers;
  if (origin === undefined) return 'unknown';
  const from = URL.canParse(origin) ? new URL(origin).host : '';
  return from !== '' && (from === host || from === new URL(issuer).host) ? 'same' : 'other';
}

function crossSite(): Problem {
  return new Problem(
    'cross_site',
    'A change with the cookie of a session must come from a page of this server: it has Sec-Fetch-Site: same-origin, or an ' +
      'Origin with this host. A program sends an access token instead.',
  );
}
