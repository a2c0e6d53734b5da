import type { FastifyReply } from 'fastify';
import type { CredentialKind } from '../../domain/credential.ts';
import { NO_CONTROL } from '../../domain/characters.ts';
import { AppError, type AppErrorCode, type InUse } from '../../domain/app-error.ts';
import { storeFault } from '../../storage/store-error.ts';
import { NO_STORE, type Answer } from '../answer.ts';
import { retryAfter } from '../rate-limit-headers.ts';

export type ProblemCode = Exclude<AppErrorCode, 'bad_setting' | 'check_failed'>;

/** Status and title of each problem of the admin API (RFC 9457). All problems with one code share a title. */
const PROBLEMS: Readonly<Record<ProblemCode, readonly [status: number, title: string]>> = {
  invalid: [400, 'Invalid request'],
  not_signed_in: [401, 'Not signed in'],
  wrong_credentials: [401, 'Wrong credentials'],
  second_factor_required: [401, 'Second factor required'],
  forbidden: [403, 'Forbidden'],
  cross_site: [403, 'Cross-site request'],
  not_found: [404, 'Not found'],
  method_not_allowed: [405, 'Method not allowed'],
  conflict: [409, 'Conflict'],
  replayed: [409, 'Already done'],
  unsafe: [409, 'Still in use'],
  stale: [412, 'Changed in the meantime'],
  too_large: [413, 'Body too large'],
  unsupported_media_type: [415, 'Unsupported media type'],
  precondition_required: [428, 'Version required'],
  too_many: [429, 'Too many requests'],
  server_error: [500, 'Internal server error'],
  unavailable: [503, 'Temporarily unavailable'],
};

export const PROBLEM_CODES = Object.keys(PROBLEMS) as ProblemCode[];

export interface ProblemFault {
  /** `/name` for a member of the body (RFC 6901), `?name` for a parameter, or the name of a header. */
  pointer: string;
  detail: string;
}

/** The callers that a refused change would have broken. */
export interface InUseJson {
  credentials: {
    id: string;
    kind: CredentialKind;
    name: string;
    last_used_at: string;
    last_used_address: string | null;
    use_count: number;
  }[];
  tokens_last_hour: number;
  tokens_last_day: number;
}

export interface ProblemDetails {
  faults?: readonly ProblemFault[];
  /** Names and values, alternating. */
  headers?: readonly string[];
  /** The cause, for the log. */
  cause?: unknown;
}

/** An AppError of the HTTP layer: its answer has headers, or its faults point into the request. */
export class Problem extends AppError {
  override readonly name = 'Problem';
  override readonly code: ProblemCode;
  readonly headers: readonly string[];
  readonly requestFaults: readonly ProblemFault[];

  /** `detail` explains what happened and how to fix it, and holds no secret. */
  constructor(code: ProblemCode, detail: string, { faults = [], headers = [], cause }: ProblemDetails = {}) {
    super(code, detail, { cause });
    this.code = code;
    this.headers = headers;
    this.requestFaults = faults;
  }
}

/** An error whose code has an HTTP status. */
type HttpError = AppError & { readonly code: ProblemCode };

function hasStatus(error: AppError): error is HttpError {
  return Object.hasOwn(PROBLEMS, error.code);
}

/** `waitMs`: time until the caller can retry. */
export function tooMany(detail: string, waitMs: number): Problem {
  return new Problem('too_many', detail, { headers: retryAfter(waitMs) });
}

/** The only function that maps errors to problems. An unknown error is a bug: `server_error`. */
export function problemOf(error: unknown): HttpError {
  if (error instanceof AppError && hasStatus(error)) return error;
  switch (storeFault(error)) {
    case 'conflict':
      return new Problem(
        'conflict',
        'It conflicts with a change that was made just now: read it and try again.',
      );
    case 'unavailable':
      return new Problem('unavailable', STORE_UNAVAILABLE, { headers: retryAfter(UNAVAILABLE_RETRY_MS) });
    case null:
      return frameworkProblem(error as FrameworkError);
  }
}

function inUseJson({ credentials, tokensLastHour, tokensLastDay }: InUse): InUseJson {
  return {
    credentials: credentials.map((credential) => ({
      id: credential.id,
      kind: credential.kind,
      name: credential.name,
      last_used_at: new Date(credential.lastUsedAt ?? 0).toISOString(),
      last_used_address: credential.lastUsedAddress,
      use_count: credential.useCount,
    })),
    tokens_last_hour: tokensLastHour,
    tokens_last_day: tokensLastDay,
  };
}

export function problemAnswer(error: HttpError, traceId: string): Answer {
  const { code, inUse } = error;
  const [status, title] = PROBLEMS[code];
  const { headers, requestFaults: faults } = error instanceof Problem ? error : requestForm(error);
  const body = {
    type: `urn:mintmark:problem:${code}`,
    title,
    status,
    detail: detailOf(error),
    code,
    trace_id: traceId,
    ...(faults.length > 0 && { errors: faults }),
    ...(inUse !== null && { in_use: inUseJson(inUse) }),
    ...(code === 'replayed' && { made: error.created }),
  };
  return { status, headers: [...SECURITY_HEADERS, ...headers], body: JSON.stringify(body) };
}

function requestForm({ faults }: AppError): Pick<Problem, 'headers' | 'requestFaults'> {
  const requestFaults = faults.map(({ member, problem }) => ({ pointer: `/${member}`, detail: problem }));
  return { headers: [], requestFaults };
}

function detailOf({ code, message }: AppError): string {
  return code === 'unsafe' ? message + FORCE : message.replaceAll('\n', ' ');
}

export function replyWithProblem(reply: FastifyReply, problem: HttpError): FastifyReply {
  const { status, headers, body } = problemAnswer(problem, reply.request.id);
  for (let i = 0; i < headers.length; i += 2) reply.header(headers[i] as string, headers[i + 1]);
  return reply.code(status).type('application/problem+json').send(body);
}

/** Headers of every answer of the admin API: they forbid caching, framing, sniffing and other sites. */
export const SECURITY_HEADERS: readonly string[] = [
  ...NO_STORE,
  'Content-Security-Policy',
  "default-src 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options',
  'nosniff',
  'X-Frame-Options',
  'DENY',
  'Referrer-Policy',
  'no-referrer',
  'Cross-Origin-Resource-Policy',
  'same-origin',
];

const FORCE = ' With `force` they are cut off.';
const UNAVAILABLE_RETRY_MS = 1000;
const STORE_UNAVAILABLE =
  'The store cannot do this at the moment. Try again; the log of the server says more under this trace_id.';
const SERVER_ERROR =
  'The server met an unexpected condition. Nothing was changed; the log of the server says more under this trace_id.';

/** The errors that Fastify and the validator throw. */
interface FrameworkError extends Error {
  code?: string;
  statusCode?: number;
  validation?: readonly ValidationError[];
  validationContext?: string;
}

interface ValidationError {
  keyword: string;
  instancePath: string;
  message: string;
  params: Record<string, unknown>;
}

function frameworkProblem(error: FrameworkError): Problem {
  if (error.validation !== undefined) return validationProblem(error.validation, error.validationContext);
  if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return new Problem('too_large', 'The body is longer than it may be: send less at a time.');
  }
  if (error.code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    return new Problem(
      'unsupported_media_type',
      'Send JSON, and the header Content-Type: application/json; to an import application/x-ndjson (an API user a line, or a JSON ' +
        'array) or text/csv.',
    );
  }
  return error.statusCode !== undefined && error.statusCode < 500
    ? new Problem('invalid', 'The body is not well-formed JSON: check it with a JSON parser.')
    : new Problem('server_error', SERVER_ERROR);
}

function validationProblem(errors: readonly ValidationError[], context = 'body'): Problem {
  const faults = errors
    .filter(({ keyword }) => keyword !== 'boolean') // the next error reports the same unexpected member
    .slice(0, FAULTS_MAX)
    .flatMap((error) => faultsOf(error, context));
  const said = faults.map(({ pointer, detail }) => `${pointer} ${detail}`).join('; ');
  return new Problem('invalid', `The request does not have the documented form: ${said}.`, { faults });
}

const PLACES: Readonly<Record<string, (path: string) => string>> = {
  querystring: (path) => `?${path.slice(1)}`,
  headers: (path) => path.slice(1),
};

/** The most faults that one problem lists. */
const FAULTS_MAX = 20;

function faultsOf(
  { instancePath, keyword, params, message }: ValidationError,
  context: string,
): ProblemFault[] {
  const at = (path: string) => PLACES[context]?.(path) ?? path;
  const members = (name: string) => (Array.isArray(params[name]) ? (params[name] as string[]) : []);
  if (keyword === 'additionalProperties') {
    const unknown = members('additionalProperties').slice(0, FAULTS_MAX);
    return unknown.map((name) => ({
      pointer: at(`${instancePath}/${escaped(name)}`),
      detail: 'is not known',
    }));
  }
  if (keyword === 'required') {
    const missing = members('requiredProperties');
    return missing.map((name) => ({ pointer: at(`${instancePath}/${escaped(name)}`), detail: 'is missing' }));
  }
  return [{ pointer: at(instancePath), detail: inWords(keyword, params) ?? message }];
}

/** Replaces a message of the validator that would show a regular expression or a minimum length of 1. */
function inWords(keyword: string, params: Record<string, unknown>): string | null {
  if (keyword === 'minLength' && params['limit'] === 1) return 'is empty';
  if (keyword !== 'pattern') return null;
  return params['pattern'] === NO_CONTROL
    ? 'holds a control character: remove it'
    : 'does not have the form that openapi.json describes';
}

/** Escapes a member name (RFC 6901 §3). It also truncates the name, because the answer echoes it. */
function escaped(name: string): string {
  return name.slice(0, 100).replaceAll('~', '~0').replaceAll('/', '~1');
}
