// Comparisons that many checks share. Each returns null for a right answer, else the fault.
import { headerOf, jsonOf, mediaTypeOf, type HttpAnswer } from './http-exchange.ts';
import { anyOf, quoted } from './quoted.ts';

export function expectStatus(answer: HttpAnswer, statuses: readonly number[]): string | null {
  return statuses.includes(answer.status)
    ? null
    : `The status is ${answer.status} instead of ${anyOf(statuses)}.`;
}

export function expectError(answer: HttpAnswer, codes: readonly string[]): string | null {
  const code = jsonOf(answer)?.['error'];
  return typeof code === 'string' && codes.includes(code)
    ? null
    : `The status is ${answer.status} and the error is ${quoted(code)} instead of ${anyOf(codes)}.`;
}

/** A refusal with this status and one of these codes. */
export function expectRefusal(
  answer: HttpAnswer,
  statuses: readonly number[],
  codes: readonly string[],
): string | null {
  return expectStatus(answer, statuses) ?? expectError(answer, codes);
}

/** A refusal as any 4xx status. */
export function expectNoToken(answer: HttpAnswer): string | null {
  if (typeof jsonOf(answer)?.['access_token'] === 'string') return 'The server issued a token.';
  return answer.status >= 400 && answer.status < 500
    ? null
    : `The status is ${answer.status} instead of 4xx.`;
}

export function expectToken(answer: HttpAnswer): string | null {
  return answer.status === 200 && typeof jsonOf(answer)?.['access_token'] === 'string'
    ? null
    : `The server issued no token: the status is ${answer.status} and the error is ${quoted(jsonOf(answer)?.['error'])}.`;
}

export function expectJson(answer: HttpAnswer): string | null {
  const type = mediaTypeOf(answer);
  if (type !== 'application/json') return `The content type is ${quoted(type)} instead of application/json.`;
  return jsonOf(answer) === null ? 'The body is not a JSON object.' : null;
}

/** A directive of a header whose value is a list: `Cache-Control: no-store, max-age=0`. */
export function expectDirective(answer: HttpAnswer, header: string, directive: string): string | null {
  const value = headerOf(answer, header);
  const directives = (value ?? '').split(',').map((each) => each.trim().toLowerCase());
  return directives.includes(directive) ? null : `${header} is ${quoted(value ?? undefined)}.`;
}

/** The challenge of this scheme in `WWW-Authenticate`; null without one. */
export function challengeOf(answer: HttpAnswer, scheme: string): string | null {
  const value = headerOf(answer, 'www-authenticate') ?? '';
  const [, challenge] = new RegExp(`(?:^|,)\\s*(${scheme}(?:\\s[^]*)?)$`, 'i').exec(value) ?? [];
  return challenge ?? null;
}

export function expectChallenge(answer: HttpAnswer, scheme: string): string | null {
  return challengeOf(answer, scheme) === null
    ? `WWW-Authenticate is ${quoted(headerOf(answer, 'www-authenticate') ?? undefined)} instead of a challenge for ${scheme}.`
    : null;
}

export function expectValue(name: string, value: unknown, expected: unknown): string | null {
  return value === expected ? null : `${name} is ${quoted(value)} instead of ${quoted(expected)}.`;
}

export function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
