import { needs, notApplicable } from './not-judged.ts';
import {
  basicHeader,
  formCredentials,
  formEncoded,
  type AuthenticationMethod,
  type Client,
  type Form,
  type KeyClient,
} from './client.ts';
import { RATE_LIMIT_WAIT_SECONDS_MAX, RETRY_AFTER_SECONDS_MAX } from './bounds.ts';
import {
  exchange,
  headerOf,
  jsonOf,
  rawExchange,
  type HttpAnswer,
  type HttpRequest,
} from './http-exchange.ts';
import type { Jwk } from './jwk.ts';
import { parseJwt, type Jwt } from './jwt.ts';
import type { Exchange, Redactor } from './redactor.ts';
import type { Target } from './target.ts';

/** A successful token response. */
export interface Issued {
  answer: HttpAnswer;
  body: Record<string, unknown>;
  token: string;
}

/** With what a request for the client authenticates. */
export interface Caller {
  client: Client;
  method: AuthenticationMethod;
}

/** How patient a run is. */
export interface Pace {
  answerTimeoutMs: number;
  /** The time that rate limits took so far. */
  waitedSeconds: number;
}

/** What all checks of a run share. */
export interface Run extends Pace {
  target: Target;
  redactor: Redactor;
  /** The first token, which the checks of responses and tokens share. */
  firstToken: { issued: Issued; exchange: Exchange } | null;
  /** Requests that must work before a refusal proves anything, each with its fault or null. */
  baselines: Map<string, Promise<string | null>>;
}

/** The hands of one check: it sends requests, and remembers what it sent and saw. */
export interface Probe {
  target: Target;
  exchanges: readonly Exchange[];
  send(request: HttpRequest): Promise<HttpAnswer>;
  raw(url: string, bytes: string): Promise<string>;
  /** Posts a form; `caller`: null for a request without credentials. */
  post(url: string, form: Form, caller?: Caller | null): Promise<HttpAnswer>;
  /** A token request of the client with these parameters. */
  token(form?: Form, caller?: Caller | null): Promise<HttpAnswer>;
  /** The same, for a check that needs a token. */
  issue(form?: Form, caller?: Caller): Promise<Issued>;
  /** The token of a request without scope and resource, the same for all checks. */
  firstToken(): Promise<Issued>;
  /** The same as a JWT. */
  jwt(): Promise<Jwt>;
  keySet(): Promise<Jwk[]>;
  metadata(): Record<string, unknown>;
  endpoint(name: 'introspection' | 'revocation' | 'jwks'): string;
  client: Client;
  caller: Caller;
  wrongSecret: Client;
  otherClient(): Caller;
  keyClient(): KeyClient;
  /** Judges nothing unless this works: a server that refuses everything follows no rule about refusals. */
  baseline(name: string, attempt: () => Promise<string | null>): Promise<void>;
}

/** Derived from no real secret, because a server may repeat it. */
const WRONG_SECRET = 'not-the-secret-of-this-client';
const FORM_TYPE = 'application/x-www-form-urlencoded';

export function createProbe(run: Run): Probe {
  const { target, redactor } = run;
  const { client } = target.options;
  const method = target.methods[0] ?? 'basic';
  const exchanges: Exchange[] = [];
  const record = (request: HttpRequest, answer: HttpAnswer | string): Exchange => {
    if (typeof answer !== 'string') hideToken(redactor, answer);
    const rendered = redactor.render(request, answer);
    exchanges.push(rendered);
    return rendered;
  };
  const probe: Probe = {
    target,
    exchanges,
    async send(request) {
      const answer = await sendThroughLimits(run, request);
      record(request, answer);
      if (answer.status === 429) needs('a higher rate limit: the server answered 429');
      return answer;
    },
    async raw(url, bytes) {
      const received = await rawExchange(url, bytes);
      record({ method: 'RAW', url, body: bytes }, received);
      return received;
    },
    post: async (url, form, caller = probe.caller) => await probe.send(formRequest(url, form, caller)),
    token: async (form = {}, caller = probe.caller) =>
      await probe.post(target.endpoints.token, { grant_type: 'client_credentials', ...form }, caller),
    issue: async (form, caller) => issuedIn(await probe.token(form, caller)),
    async firstToken() {
      if (run.firstToken === null) {
        const issued = await probe.issue();
        const last = exchanges.at(-1);
        if (last !== undefined) run.firstToken = { issued, exchange: last };
        return issued;
      }
      exchanges.push(run.firstToken.exchange);
      return run.firstToken.issued;
    },
    jwt: async () =>
      parseJwt((await probe.firstToken()).token) ?? notApplicable('The access token is not a JWT.'),
    async keySet() {
      const answer = await probe.send({ method: 'GET', url: probe.endpoint('jwks') });
      const keys = jsonOf(answer)?.['keys'];
      if (!Array.isArray(keys)) needs('a key set: the answer of jwks_uri has no "keys"');
      return keys.filter((key) => typeof key === 'object' && key !== null) as Jwk[];
    },
    metadata: () => target.discovery?.metadata ?? notApplicable('The server publishes no metadata.'),
    endpoint: (name) => target.endpoints[name] ?? notApplicable(`The server has no ${ENDPOINT_NAMES[name]}.`),
    client,
    caller: { client, method },
    wrongSecret: { id: client.id, secret: WRONG_SECRET },
    otherClient: () => ({
      client: target.options.otherClient ?? needs('a second client (--other-client-id)'),
      method,
    }),
    keyClient() {
      const { keyClient } = target.options;
      if (keyClient === 'none') notApplicable('The server accepts no assertions.');
      return keyClient ?? needs('a client with a key, or none (--key-client-id, --key-file)');
    },
    async baseline(name, attempt) {
      const outcome = run.baselines.get(name) ?? attempt();
      run.baselines.set(name, outcome);
      const wrong = await outcome;
      if (wrong !== null) needs(`${name} that works: ${wrong}`);
    },
  };
  return probe;
}

const ENDPOINT_NAMES = {
  introspection: 'introspection endpoint',
  revocation: 'revocation endpoint',
  jwks: 'key set',
} as const;

/** A POST with this form, and with the credentials of the caller. */
export function formRequest(url: string, form: Form, caller: Caller | null): HttpRequest {
  const headers = { 'Content-Type': FORM_TYPE, Accept: 'application/json' };
  if (caller === null) return { method: 'POST', url, headers, body: formEncoded(form) };
  if (caller.method === 'basic') {
    const authorization = basicHeader(caller.client);
    const body = formEncoded(form);
    return { method: 'POST', url, headers: { ...headers, Authorization: authorization }, body };
  }
  return { method: 'POST', url, headers, body: formEncoded({ ...form, ...formCredentials(caller.client) }) };
}

/** Waits for as long as rate limits say, and sends the request again; returns 429 if that takes too long. */
export async function sendThroughLimits(pace: Pace, request: HttpRequest): Promise<HttpAnswer> {
  for (;;) {
    const answer = await exchange({ timeoutMs: pace.answerTimeoutMs, ...request });
    const seconds = Number(headerOf(answer, 'retry-after') ?? RETRY_AFTER_SECONDS_MAX);
    const isBearable = seconds >= 0 && seconds <= RETRY_AFTER_SECONDS_MAX;
    if (answer.status !== 429 || !isBearable) return answer;
    pace.waitedSeconds += seconds;
    if (pace.waitedSeconds > RATE_LIMIT_WAIT_SECONDS_MAX) return answer;
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  }
}

function hideToken(redactor: Redactor, answer: HttpAnswer): void {
  const token = jsonOf(answer)?.['access_token'];
  if (typeof token === 'string') redactor.hideToken(token);
}

function issuedIn(answer: HttpAnswer): Issued {
  const body = jsonOf(answer);
  const token = body?.['access_token'];
  return answer.status === 200 && body !== null && typeof token === 'string'
    ? { answer, body, token }
    : needs(`a token: the server answered ${answer.status} to a token request of the client`);
}
