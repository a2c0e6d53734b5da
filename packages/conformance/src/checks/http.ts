import type { Check } from '../check.ts';
import { notApplicable } from '../not-judged.ts';
import { expectStatus, expectToken, expectValue, isText } from '../expect.ts';
import { headerOf, type HttpAnswer, type HttpRequest } from '../http-exchange.ts';
import { formRequest, type Probe } from '../probe.ts';
import { quoted } from '../quoted.ts';

function tokenRequest({ target, caller }: Probe, headers: Record<string, string> = {}): HttpRequest {
  const form = { grant_type: 'client_credentials' };
  const request = formRequest(target.endpoints.token, form, caller);
  return { ...request, headers: { ...request.headers, ...headers } };
}

/** Sends these header lines to the token endpoint, and returns the status of the answer; 0 without one. */
async function rawStatus(probe: Probe, lines: readonly string[]): Promise<number> {
  const { pathname } = new URL(probe.target.endpoints.token);
  const head = [`POST ${pathname} HTTP/1.1`, ...lines, 'Connection: close', '', ''].join('\r\n');
  const [, status] =
    /^HTTP\/1\.1 (\d{3})/.exec(await probe.raw(probe.target.endpoints.token, `${head}x=1`)) ?? [];
  return Number(status ?? 0);
}

/** A wrong message gets 400, or a closed connection. */
function expectBadRequest(status: number): string | null {
  return status === 400 || status === 0 ? null : `The status is ${status} instead of 400.`;
}

const fieldNames = ({ headers }: HttpAnswer) => new Set(headers.map(([name]) => name.toLowerCase()));

export const HTTP_CHECKS: readonly Check[] = [
  {
    id: 'http-head',
    section: 'RFC 9110 §9.3.2',
    level: 'MUST',
    rule: 'HEAD has the status of GET and no content.',
    async run(probe) {
      const url = probe.target.discovery?.url ?? probe.endpoint('jwks');
      const get = await probe.send({ method: 'GET', url });
      const { host, pathname } = new URL(url);
      const head = `HEAD ${pathname} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
      const [answer = '', content] = (await probe.raw(url, head)).split('\r\n\r\n', 2);
      if (isText(content)) return 'The answer to HEAD has content.';
      const [, status] = /^HTTP\/1\.1 (\d{3})/.exec(answer) ?? [];
      return expectValue('The status', Number(status), get.status);
    },
  },
  {
    id: 'http-date',
    section: 'RFC 9110 §6.6.1',
    level: 'MUST',
    rule: 'A server with a clock sends Date with every answer that is neither 1xx nor 5xx.',
    async run(probe) {
      const answers = [(await probe.firstToken()).answer, await probe.token({}, null)];
      return answers.every((answer) => fieldNames(answer).has('date')) ? null : 'An answer has no Date.';
    },
  },
  {
    id: 'http-method',
    section: 'RFC 9110 §9.1',
    level: 'SHOULD',
    rule: 'The token endpoint refuses DELETE with 405.',
    run: async (probe) =>
      expectStatus(await probe.send({ method: 'DELETE', url: probe.target.endpoints.token }), [405]),
  },
  {
    id: 'http-allow',
    section: 'RFC 9110 §15.5.6',
    level: 'MUST',
    rule: 'An answer with 405 says in Allow which methods there are: for the token endpoint POST.',
    async run(probe) {
      const answer = await probe.send({ method: 'GET', url: probe.target.endpoints.token });
      if (answer.status !== 405) notApplicable(`GET gets ${answer.status} and not 405.`);
      const allow = headerOf(answer, 'allow');
      return /\bPOST\b/.test(allow ?? '') ? null : `Allow is ${quoted(allow ?? undefined)}.`;
    },
  },
  {
    id: 'http-media-type-case',
    section: 'RFC 9110 §8.3.1',
    level: 'MUST',
    rule: 'The case of letters does not matter in a content type.',
    run: async (probe) =>
      expectToken(
        await probe.send(tokenRequest(probe, { 'Content-Type': 'Application/X-WWW-Form-URLEncoded' })),
      ),
  },
  {
    id: 'http-media-type-parameter',
    section: 'RFC 9110 §8.3.1; RFC 6749 App. B',
    level: 'SHOULD',
    rule: 'A charset parameter of UTF-8 does not make a form unreadable.',
    run: async (probe) =>
      expectToken(
        await probe.send(
          tokenRequest(probe, { 'Content-Type': 'application/x-www-form-urlencoded; charset=UTF-8' }),
        ),
      ),
  },
  {
    id: 'http-chunked',
    section: 'RFC 9112 §7.1',
    level: 'MUST',
    rule: 'The server reads a body with Transfer-Encoding: chunked.',
    run: async (probe) =>
      expectToken(
        await probe.send({ ...tokenRequest(probe, { 'Transfer-Encoding': 'chunked' }), isChunked: true }),
      ),
  },
  {
    id: 'http-expect',
    section: 'RFC 9110 §10.1.1',
    level: 'MUST',
    rule: 'A request with Expect: 100-continue gets 100 or its final answer before its body.',
    async run(probe) {
      const { status } = await probe.send(tokenRequest(probe, { Expect: '100-continue' }));
      return status < 500 ? null : `The status is ${status}.`;
    },
  },
  {
    id: 'http-scheme-case',
    section: 'RFC 9110 §11.1',
    level: 'MUST',
    rule: 'The case of letters does not matter in an authentication scheme.',
    async run(probe) {
      const { headers } = tokenRequest(probe);
      const authorization = headers?.['Authorization'] ?? notApplicable('The client cannot use HTTP Basic.');
      const changed = authorization.replace('Basic', 'bAsIC');
      return expectToken(await probe.send(tokenRequest(probe, { Authorization: changed })));
    },
  },
  {
    id: 'http-host',
    section: 'RFC 9112 §3.2',
    level: 'MUST',
    rule: 'A request without Host gets 400.',
    async run(probe) {
      const lines = ['Content-Type: application/x-www-form-urlencoded', 'Content-Length: 3'];
      return expectBadRequest(await rawStatus(probe, lines));
    },
  },
  {
    id: 'http-two-lengths',
    section: 'RFC 9112 §6.3',
    level: 'MUST',
    rule: 'A request with two different lengths gets 400.',
    async run(probe) {
      const { host } = new URL(probe.target.endpoints.token);
      const lines = [
        `Host: ${host}`,
        'Content-Type: application/x-www-form-urlencoded',
        'Content-Length: 3',
        'Content-Length: 2',
      ];
      return expectBadRequest(await rawStatus(probe, lines));
    },
  },
];
