import Type, {
  type Static,
  type TInteger,
  type TObject,
  type TObjectOptions,
  type TOptional,
  type TProperties,
  type TSchema,
  type TString,
  type TUnsafe,
} from 'typebox';
import { CREDENTIAL_KINDS } from '../../domain/credential.ts';
import { NO_CONTROL } from '../../domain/characters.ts';
import { parseTime, RFC_3339 } from '../../domain/parse-time.ts';
import { Problem, PROBLEM_CODES } from './problem.ts';

// Parts that the schemas of all nouns share. The document of the API comes from the schemas that validate.

export const KINDS_TEXT =
  'Generated; chosen by a person; a public key; or a rule for tokens of another issuer';

/** A schema that the document lists under its own name. Exported constants must spell `T` out. */
export type Shared<T> = TUnsafe<T> & { $id: string };

export function shared<P extends TProperties>(
  $id: string,
  description: string,
  properties: P,
): Shared<Static<TObject<P>>> {
  return { ...answerObject(description, properties), $id } as unknown as Shared<Static<TObject<P>>>;
}

/** An object without other members: requests with more are refused. */
export function closedObject<P extends TProperties>(properties: P, options: TObjectOptions = {}): TObject<P> {
  return Type.Object(properties, { additionalProperties: false, ...options });
}

/** The same in an answer, where the document says what it is. */
export function answerObject<P extends TProperties>(description: string, properties: P): TObject<P> {
  return closedObject(properties, { description });
}

/** A reference to a shared schema, for responses only: the request validator needs the schema itself. */
export function ref<T>({ $id }: Shared<T>): TUnsafe<T> {
  return Type.Unsafe<T>({ $ref: `${$id}#` });
}

export function nullable<S extends TSchema & { type: string; enum?: unknown[] }>(
  schema: S,
): TUnsafe<Static<S> | null> {
  return Type.Unsafe<Static<S> | null>({
    ...schema,
    type: [schema.type, 'null'],
    ...(schema.enum !== undefined && { enum: [...schema.enum, null] }),
  });
}

/** A time: ISO 8601, UTC, as JavaScript's toISOString writes it. */
export function time(description: string): TUnsafe<string> & { type: 'string' } {
  return Type.Unsafe<string>({ type: 'string', format: 'date-time', description }) as TUnsafe<string> & {
    type: 'string';
  };
}

/** Converts milliseconds since 1970 to ISO 8601 in UTC. */
export function iso(ms: number): string;
export function iso(ms: number | null): string | null;
export function iso(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}

export function oneOf<const V extends string>(
  values: readonly V[],
  description: string,
): TUnsafe<V> & { type: 'string' } {
  return Type.Unsafe<V>({ type: 'string', enum: [...values], description }) as TUnsafe<V> & {
    type: 'string';
  };
}

export interface Page<T> {
  items: T[];
  next: string | null;
}

/** One page of a list. */
export function pageOf<T>(item: Shared<T>): TUnsafe<Page<T>> {
  const schema = answerObject('A page', {
    items: Type.Array(ref(item)),
    next: nullable(
      Type.String({ description: 'Send it as `after` for the next page; null: this was the last' }),
    ),
  });
  return Type.Unsafe<Page<T>>(schema);
}

/** The most items of a page. */
export const PAGE_MAX = 200;
export const PAGE_DEFAULT = 50;
const CURSOR_LENGTH_MAX = 2000;

/** The parameters that every list has. Spread them into the parameters of a list. */
export const pageParameters: { limit: TOptional<TInteger>; after: TOptional<TString> } = {
  limit: Type.Optional(
    Type.Integer({ minimum: 1, maximum: PAGE_MAX, description: `Most items; left out: ${PAGE_DEFAULT}` }),
  ),
  after: Type.Optional(
    Type.String({ minLength: 1, maxLength: CURSOR_LENGTH_MAX, description: '`next` of the page before' }),
  ),
};

export const problemSchema: Shared<object> = shared('Problem', 'Why it was not done (RFC 9457)', {
  type: Type.String({ description: 'urn:mintmark:problem:<code>' }),
  title: Type.String({ description: 'The same for all problems of a code' }),
  status: Type.Integer(),
  detail: Type.String({ description: 'What happened, and what to do' }),
  code: oneOf(PROBLEM_CODES, 'To program against'),
  trace_id: Type.String({ pattern: '^[0-9a-f]{32}$', description: 'The same as X-Request-Id' }),
  errors: Type.Optional(
    Type.Array(
      closedObject({
        pointer: Type.String({ description: '`/name` in the body, `?name` for a parameter' }),
        detail: Type.String(),
      }),
    ),
  ),
  in_use: Type.Optional(
    answerObject('With the code `unsafe`: the callers that the change would have cut off', {
      credentials: Type.Array(
        closedObject({
          id: Type.String(),
          kind: oneOf(CREDENTIAL_KINDS, KINDS_TEXT),
          name: Type.String({ description: 'Where it is deployed' }),
          last_used_at: time('Within the last hour'),
          last_used_address: nullable(Type.String()),
          use_count: Type.Integer({ minimum: 0 }),
        }),
        { description: 'Live credentials of the API user that were used in the last hour' },
      ),
      tokens_last_hour: Type.Integer({ minimum: 0 }),
      tokens_last_day: Type.Integer({ minimum: 0 }),
    }),
  ),
  made: Type.Optional(
    Type.Array(closedObject({ kind: Type.String(), id: nullable(Type.String()) }), {
      description: 'With the code `replayed`: what the earlier request made',
    }),
  ),
});

/** A text that a caller chooses. The domain checks its content and explains a refusal. */
export function text(description: string, maxLength: number): TString {
  return Type.String({ minLength: 1, maxLength, pattern: NO_CONTROL, description });
}

/** A time in a request: RFC 3339, with an offset from UTC. */
export function timeInput(description: string): TString {
  return Type.String({
    format: 'date-time',
    pattern: RFC_3339,
    description,
  });
}

/** Converts a time in a request to milliseconds since 1970. `pointer` names its member or parameter. */
export function millisecondsOf(isoTime: string, pointer: string): number;
export function millisecondsOf(isoTime: string | null | undefined, pointer: string): number | null;
export function millisecondsOf(isoTime: string | null | undefined, pointer: string): number | null {
  if (isoTime === null || isoTime === undefined) return null;
  const ms = parseTime(isoTime);
  if (ms !== null) return ms;
  const detail = `"${isoTime}" is no time: give one as 2030-01-31T12:00:00Z.`;
  throw new Problem('invalid', detail, { faults: [{ pointer, detail }] });
}

/** A stream of JSON objects, one per line. */
export const NDJSON = 'application/x-ndjson';
export const CSV = 'text/csv';

/** The schema of an answer in NDJSON. */
export function lines(description: string): TSchema {
  return { description, content: { [NDJSON]: { schema: { type: 'string' } } } };
}

/** The schema of an answer without a body. */
export function nothing(description: string): TSchema {
  return Type.Null({ description });
}
