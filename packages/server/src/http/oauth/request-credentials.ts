import { isUtf8 } from 'node:buffer';
import type { IncomingHttpHeaders } from 'node:http';
import { clientIdOf, NO_ASSERTION, parseAssertion } from '../../domain/assertion.ts';
import type { Caller } from '../../domain/caller.ts';
import { invalidRequest, isDenial, type Denial } from '../../domain/denial.ts';
import { decodeFormText, type Form } from '../form.ts';
import { CREDENTIALS_IN_URL, urlHoldsCredentials } from '../url-secrets.ts';

/** What proves the caller: a secret, or an assertion and an empty secret. */
export type Credentials = Pick<Caller, 'clientId' | 'clientSecret' | 'assertion'>;

/**
 * The credentials of a request: in the form, by HTTP Basic, or as an assertion, never in two ways (RFC 6749
 * §2.3).
 */
export function readCredentials(form: Form, authorization: string | undefined): Credentials | Denial {
  const clientId = form.get('client_id');
  const clientSecret = form.get('client_secret');
  const basic = usesBasic(authorization) ? parseBasic(authorization) : undefined;
  if (form.has('client_assertion') || form.has('client_assertion_type')) {
    return clientSecret === undefined && basic === undefined
      ? readAssertion(form, clientId)
      : invalidRequest('The request has a client_assertion and other credentials: send one or the other.');
  }
  if (basic === undefined) {
    if (clientId === undefined) return invalidRequest(missing('client_id'));
    return clientSecret === undefined
      ? invalidRequest(missing('client_secret'))
      : { clientId, clientSecret, assertion: null };
  }
  if (isDenial(basic)) return basic;
  // Some clients repeat the client id in the form, which is not a second authentication method.
  if (clientSecret !== undefined || (clientId !== undefined && clientId !== basic.clientId)) {
    return invalidRequest(
      'There are credentials in the Authorization header and in the form: send one or the other.',
    );
  }
  return { clientId: basic.clientId, clientSecret: basic.clientSecret, assertion: null };
}

/** RFC 7523 §2.2. */
export const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/** Whether the assertion can be parsed depends on the request alone. Still, callers get the one answer. */
function readAssertion(form: Form, named: string | undefined): Credentials | Denial {
  const text = form.get('client_assertion');
  const type = form.get('client_assertion_type');
  if (text === undefined) {
    return invalidRequest('client_assertion is missing: send the JWT beside client_assertion_type.');
  }
  if (type !== ASSERTION_TYPE) {
    const fault = type === undefined ? 'is missing' : 'is not supported';
    return invalidRequest(`client_assertion_type ${fault}: send ${ASSERTION_TYPE}.`);
  }
  const assertion = parseAssertion(text) ?? NO_ASSERTION;
  const clientId = named ?? clientIdOf(assertion.claims);
  if (clientId !== null) return { clientId, clientSecret: '', assertion };
  return invalidRequest(
    'client_id is missing: send it beside client_assertion. Only an assertion with the client id in iss and in ' +
      'sub needs no client_id.',
  );
}

export function usesBasic(authorization: string | undefined): authorization is string {
  return authorization !== undefined && /^basic(?:\s|$)/i.test(authorization);
}

/**
 * Parses HTTP Basic (RFC 7617). The client form-encodes both parts before it joins them (RFC 6749 §2.3.1).
 */
export function parseBasic(authorization: string): Omit<Credentials, 'assertion'> | Denial {
  const encoded = authorization.slice('basic'.length).trim();
  const bytes = Buffer.from(encoded, 'base64');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(encoded) || !isUtf8(bytes)) return invalidRequest(MALFORMED_BASIC);
  const text = bytes.toString('utf8');
  const colon = text.indexOf(':');
  const clientId = colon < 0 ? null : decodeFormText(text.slice(0, colon));
  const clientSecret = decodeFormText(text.slice(colon + 1));
  if (clientId === null || clientSecret === null) return invalidRequest(MALFORMED_BASIC);
  if (clientId === '') return invalidRequest(missing('client_id'));
  return clientSecret === '' ? invalidRequest(missing('client_secret')) : { clientId, clientSecret };
}

/** A denial that depends only on headers and URL; null if they are acceptable. */
export function requestProblem(headers: IncomingHttpHeaders, url: string): Denial | null {
  if (urlHoldsCredentials(url))
    return invalidRequest(`${CREDENTIALS_IN_URL} send them in the form, and reset them.`);
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    return invalidRequest('The body is compressed: send it as it is, without Content-Encoding.');
  }
  return contentTypeProblem(headers['content-type']);
}

const FORM = 'application/x-www-form-urlencoded';

function contentTypeProblem(contentType: string | undefined): Denial | null {
  if (contentType === FORM) return null;
  const type = (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase();
  if (type === FORM) return null;
  return invalidRequest(
    type === 'application/json'
      ? `The body is JSON: send a form instead, with Content-Type: ${FORM} and a body such as ` +
          'client_id=...&client_secret=...'
      : `Send the header Content-Type: ${FORM} and the parameters as a form in the body.`,
  );
}

function missing(name: string): string {
  return `${name} is missing: send client_id and client_secret in the form, or both by HTTP Basic authentication.`;
}

const MALFORMED_BASIC =
  'The Authorization header is malformed: it is Basic and the base64 of client_id:client_secret, both form-encoded.';
