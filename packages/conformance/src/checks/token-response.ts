import type { Check } from '../check.ts';
import { notApplicable } from '../not-judged.ts';
import { expectDirective, expectJson, expectStatus, expectValue, isText } from '../expect.ts';
import { jsonOf, mediaTypeOf } from '../http-exchange.ts';
import { formRequest } from '../probe.ts';
import { quoted } from '../quoted.ts';

/** The characters that `error` and `error_description` may have (RFC 6749 §5.2). */
const ERROR_CHARACTERS = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;
/** `b64token` (RFC 6750 §2.1). */
const BEARER_CHARACTERS = /^[A-Za-z0-9._~+/-]+=*$/;

export const TOKEN_RESPONSE_CHECKS: readonly Check[] = [
  {
    id: 'response-json',
    section: 'RFC 6749 §5.1',
    level: 'MUST',
    rule: 'A token response has the content type application/json.',
    run: async (probe) => expectJson((await probe.firstToken()).answer),
  },
  {
    id: 'response-no-store',
    section: 'RFC 6749 §5.1',
    level: 'MUST',
    rule: 'A token response has Cache-Control: no-store.',
    run: async (probe) => expectDirective((await probe.firstToken()).answer, 'cache-control', 'no-store'),
  },
  {
    id: 'response-pragma',
    section: 'RFC 6749 §5.1',
    level: 'MUST',
    rule: 'A token response has Pragma: no-cache.',
    run: async (probe) => expectDirective((await probe.firstToken()).answer, 'pragma', 'no-cache'),
  },
  {
    id: 'response-token-type',
    section: 'RFC 6749 §5.1',
    level: 'MUST',
    rule: 'A token response names the type of the token.',
    async run(probe) {
      const type = (await probe.firstToken()).body['token_type'];
      return isText(type) ? null : `token_type is ${quoted(type)}.`;
    },
  },
  {
    id: 'response-bearer-characters',
    section: 'RFC 6750 §2.1',
    level: 'MUST',
    rule: 'A Bearer token has only the characters that a Bearer header may have.',
    async run(probe) {
      const { token, body } = await probe.firstToken();
      if (String(body['token_type']).toLowerCase() !== 'bearer')
        notApplicable('The token is not a Bearer token.');
      return BEARER_CHARACTERS.test(token) ? null : 'The token has other characters.';
    },
  },
  {
    id: 'response-expires-in',
    section: 'RFC 6749 §5.1',
    level: 'SHOULD',
    rule: 'A token response says for how many seconds the token is valid.',
    async run(probe) {
      const seconds = (await probe.firstToken()).body['expires_in'];
      return seconds === undefined ? 'expires_in is missing.' : null;
    },
  },
  {
    id: 'response-expires-in-number',
    section: 'RFC 6749 §5.1',
    level: 'MUST',
    rule: 'expires_in is a JSON number above 0.',
    async run(probe) {
      const seconds = (await probe.firstToken()).body['expires_in'];
      if (seconds === undefined) notApplicable('The response has no expires_in.');
      return typeof seconds === 'number' && seconds > 0 ? null : `expires_in is ${quoted(seconds)}.`;
    },
  },
  {
    id: 'response-no-refresh-token',
    section: 'RFC 6749 §4.4.3',
    level: 'SHOULD',
    rule: 'The response to a client credentials request has no refresh token.',
    async run(probe) {
      const { body } = await probe.firstToken();
      return body['refresh_token'] === undefined ? null : 'The response has a refresh_token.';
    },
  },
  {
    id: 'error-json',
    section: 'RFC 6749 §5.2',
    level: 'MUST',
    rule: 'An error has the content type application/json and the member error.',
    async run(probe) {
      const answer = await probe.token({ grant_type: 'conformance' });
      const wrong = expectJson(answer);
      return wrong ?? (isText(jsonOf(answer)?.['error']) ? null : 'There is no error.');
    },
  },
  {
    id: 'error-status',
    section: 'RFC 6749 §5.2',
    level: 'MUST',
    rule: 'An error that is about no credentials has the status 400.',
    run: async (probe) => expectStatus(await probe.token({ grant_type: 'conformance' }), [400]),
  },
  {
    id: 'error-characters',
    section: 'RFC 6749 §5.2',
    level: 'MUST',
    rule: 'error and error_description have no quotation mark, backslash, or character beyond ASCII, whatever the client sends.',
    async run(probe) {
      for (const form of [{ grant_type: 'a"b\\c ü\u0007' }, { scope: 'a"b\\c ü\u0007' }]) {
        const body = jsonOf(await probe.token(form));
        for (const member of ['error', 'error_description']) {
          const text = body?.[member];
          if (isText(text) && !ERROR_CHARACTERS.test(text)) return `${member} is ${quoted(text)}.`;
        }
      }
      return null;
    },
  },
  {
    id: 'error-uri',
    section: 'RFC 6749 §5.2',
    level: 'MUST',
    rule: 'error_uri is a URI.',
    async run(probe) {
      const uri = jsonOf(await probe.token({ grant_type: 'conformance' }))?.['error_uri'];
      if (uri === undefined) return null;
      return isText(uri) && !/[\s"\\]/.test(uri) ? null : `error_uri is ${quoted(uri)}.`;
    },
  },
  {
    id: 'error-no-html',
    section: 'RFC 6749 §5.2',
    level: 'MUST',
    rule: 'An error for a browser that accepts only HTML is JSON, too.',
    async run(probe) {
      const form = { grant_type: 'conformance' };
      const request = formRequest(probe.target.endpoints.token, form, probe.caller);
      const answer = await probe.send({ ...request, headers: { ...request.headers, Accept: 'text/html' } });
      return expectValue('The content type', mediaTypeOf(answer), 'application/json');
    },
  },
];
