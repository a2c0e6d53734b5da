import { basicHeader, escapedBasicHeader, formEncoded, type Client } from './client.ts';
import { REPORTED_BODY_CHARACTERS_MAX } from './bounds.ts';
import type { HttpAnswer, HttpRequest } from './http-exchange.ts';

/** A request and its answer as text, without secrets. */
export interface Exchange {
  request: string;
  answer: string;
}

/** Turns exchanges into texts without secrets, tokens, and assertions. */
export interface Redactor {
  /** Every later text shows `<token>` in place of this one. */
  hideToken(token: string): void;
  /** Hides the secret of a client, as text and as a server may repeat it from a form or from HTTP Basic. */
  hideClient(client: Client): void;
  redact(text: string): string;
  render(request: HttpRequest, answer: HttpAnswer | string): Exchange;
}

const JWT = /\beyJ[\w-]+\.[\w-]*\.[\w-]*/g;
const SECRET_PARAMETERS =
  /\b(client_secret|client_assertion|access_token|refresh_token|token|password)=(?!<)[^&\s]*/g;
const SECRET_MEMBERS = /"(access_token|refresh_token|id_token|client_secret)"(\s*):(\s*)"[^"]*"/g;
const SECRET_HEADERS = /^((?:proxy-)?authorization|cookie|set-cookie)$/i;

export function createRedactor(): Redactor {
  const labels = new Map<string, string>();
  const redact = (text: string): string => {
    let redacted = text;
    // A longer secret first: it may contain a shorter one.
    const secrets = Array.from(labels).toSorted(([a], [b]) => b.length - a.length);
    for (const [secret, label] of secrets) redacted = redacted.replaceAll(secret, `<${label}>`);
    return redacted
      .replaceAll(SECRET_MEMBERS, '"$1"$2:$3"<redacted>"')
      .replaceAll(SECRET_PARAMETERS, '$1=<redacted>')
      .replaceAll(JWT, '<JWT>');
  };
  const headerLine = (name: string, value: string) =>
    `${name}: ${SECRET_HEADERS.test(name) ? redactedHeader(value) : value}`;
  return {
    hideToken(token) {
      if (token !== '') labels.set(token, 'token');
    },
    hideClient(client) {
      const { secret } = client;
      const headers = [basicHeader(client), escapedBasicHeader(client)];
      const encoded = headers.map((header) => header.slice('Basic '.length));
      const spellings = [secret, encodeURIComponent(secret), formEncoded({ secret }).slice('secret='.length)];
      for (const spelling of [...spellings, ...encoded])
        if (spelling !== '') labels.set(spelling, 'client-secret');
    },
    redact,
    render({ method, url, headers = {}, body = '' }, answer) {
      const sent = [
        `${method} ${url}`,
        ...Object.entries(headers).map((each) => headerLine(...each)),
        ...(body === '' ? [] : ['', shortened(redact(body))]),
      ];
      const seen =
        typeof answer === 'string'
          ? shortened(redact(answer))
          : [
              String(answer.status),
              ...answer.headers.map((each) => headerLine(...each)),
              ...(answer.body === '' ? [] : ['', shortened(redact(answer.body))]),
            ].join('\n');
      return { request: redact(sent.join('\n')), answer: redact(seen) };
    },
  };
}

/** Keeps the scheme of `Authorization`. */
function redactedHeader(value: string): string {
  const [, scheme] = /^(\w+) /.exec(value) ?? [];
  return scheme === undefined ? '<redacted>' : `${scheme} <redacted>`;
}

/** Cut after the redaction: half a secret would not be recognised. */
function shortened(text: string): string {
  return text.length <= REPORTED_BODY_CHARACTERS_MAX
    ? text
    : `${text.slice(0, REPORTED_BODY_CHARACTERS_MAX)}… (${text.length} characters)`;
}
