import type { IncomingHttpHeaders } from 'node:http';
import { Problem } from '../../../http/admin/problem.ts';

/**
 * Refuses requests that a web page made a browser send. After DNS rebinding, `Host` names the server of the
 * page. Other requests of pages have `Origin`, or a `Sec-Fetch-Site` other than `none`. No page can change
 * these headers. `none` is that of an address that a person typed.
 */
export function refusePages(headers: IncomingHttpHeaders, port: number): void {
  const hosts = ['127.0.0.1', 'localhost'].map((name) => new URL(`http://${name}:${port}`).host);
  if (!hosts.includes((headers.host ?? '').toLowerCase())) {
    throw new Problem('cross_site', `The Host header is not ${hosts.join(' or ')}: use one of these.`);
  }
  const { origin, 'sec-fetch-site': site = 'none' } = headers;
  if (origin !== undefined || site !== 'none') {
    throw new Problem(
      'cross_site',
      'A web page sent this request: only programs and tests may use the sandbox.',
    );
  }
}
