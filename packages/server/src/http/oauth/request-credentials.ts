import { isUtf8 } from 'node:buffer';
import type { IncomingHttpHeaders } from 'node:http';
import { invalidRequest, isDenial, type Denial } from '../../domain/denial.ts';
import { decodeFormText, type Form } from '../form.ts';
import { CREDENTIALS_IN_URL, urlHoldsCredentials } from '../url-secrets.ts';

export interface Credentials {
  clientId: string;
  clientSecret: string;
}

/** The credentials of a request, from the form or from HTTP Basic, never from both (RFC 6749 §2.3). */
export function readCredentials(form: Form, authorization: string | undefined): Credentials | Denial {
  const clientId = form.get('client_id');
  const clientSecret = form.get('client_secret');
  const basic = usesBasic(authorization) ? parseBasic(authorization) : undefined;
  if (basic === undefined) {
    if (clientId === undefined) return invalidRequest(missing('client_id'));
    return clientSecret === undefined ? invalidRequest(missing('client_secret')) : { clientId, clientSecret };
  }
  if (isDenial(basic)) return basic;
  // Some clients repeat the client id in the form, which is not a second authentication method.
  if (clientSecret !== undefined || (clientId !== undefined && clientId !== basic.clientId)) {
    return invalidRequest(
      'There are credentials in the Authorization header and in the form: send one or the other.',
    );
  }
  return basic;
}

export function usesBasic(authorization: string | undefined): authorization is string {
  return authorization !== undefined && /^basic(?:\s|$)/i.test(authorization);
}

/**
 * Parses HTTP Basic (RFC 7617). The client form-encodes both parts before it joins them (RFC 6749 §2.3.1).
 */
export function parseBasic(authorization: string): Credentials | Denial {
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
