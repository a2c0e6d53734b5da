import { InvalidArgumentError, Option, type Command } from 'commander';
import { AppError } from '../domain/app-error.ts';
import { ruleFromPreset, TRUST_PRESETS } from '../domain/trust-presets.ts';
import { trustRuleText } from '../domain/trust-rule-text.ts';
import type { ClaimMatch, ClaimValue, JsonWebKeySet, TrustedKeys, TrustRule } from '../domain/trust-rule.ts';
import { duration } from './options.ts';
import { readTextFile } from './text-file.ts';

/** The options of `trust create` that describe the rule. */
export interface TrustOptions {
  preset?: string;
  field?: Record<string, string>;
  iss?: string;
  sub?: string;
  aud?: string;
  otherAudiences?: boolean;
  claim?: Record<string, ClaimMatch>;
  /** Milliseconds. */
  life?: number;
  reuse?: 'once' | 'until-expired';
  jwksUrl?: string;
  jwks?: string;
}

/** A rule with no preset and no --life: an hour. */
const LIFE_MS = 3_600_000;

export function addTrustOptions(command: Command): void {
  const presets = TRUST_PRESETS.map(({ name }) => name);
  command
    .addOption(new Option('--preset <name>', 'A rule for a well-known issuer.').choices(presets))
    .option(
      '--field <name=value>',
      'A field of the preset; repeat the option for each. mintmark trust presets lists them.',
      field,
    )
    .option('--iss <issuer>', 'The issuer of the tokens.')
    .option('--sub <subject>', 'The subject of the tokens; or a prefix that ends in : or /, followed by *.')
    .option('--aud <audience>', 'The audience of the tokens. Default: the issuer of the server.')
    .option('--other-audiences', 'Accept tokens whose aud names other audiences, too.')
    .option(
      '--claim <name=value>',
      'Another claim that must match. name=prefix* compares a prefix, name:=true a JSON value. Repeat a name to allow several values.',
      claim,
    )
    .option(
      '--life <duration>',
      'The longest time from iat to exp: 1h, 15m. Default: that of the preset, or 1h.',
      duration,
    )
    .addOption(
      new Option(
        '--reuse <when>',
        'How often a token may be used. Default: that of the preset, or once.',
      ).choices(['once', 'until-expired']),
    )
    .option('--jwks-url <url>', 'URL of the public keys. Default: discovery from the issuer.')
    .addOption(
      new Option('--jwks <file>', 'The public keys as JWKS, for an issuer that cannot be reached.').conflicts(
        'jwksUrl',
      ),
    );
}

/** The rule that the options describe, and what it lets in. Throws an AppError for faults of a preset. */
export function ruleOfOptions(options: TrustOptions, ownIssuer: string): { rule: TrustRule; letsIn: string } {
  const audience = options.aud ?? ownIssuer;
  const base =
    options.preset === undefined ? null : presetRule(options.preset, options.field ?? {}, audience);
  if (base === null && options.field !== undefined) {
    throw new AppError('invalid', '--field belongs to a preset: give --preset, or --iss and --sub.');
  }
  const { iss: issuer = base?.rule.issuer, sub: subject = base?.rule.subject } = options;
  if (issuer === undefined || subject === undefined) {
    throw new AppError('invalid', 'A trust rule needs --preset, or --iss and --sub.');
  }
  const rule = {
    preset: options.preset ?? null,
    issuer,
    subject,
    audience,
    otherAudiences: options.otherAudiences === true,
    claims: { ...base?.rule.claims, ...options.claim },
    lifeSecondsMax: lifeSeconds(options, base?.rule),
    reuse: reuseOf(options) ?? base?.rule.reuse ?? 'once',
    keys: keysOfOptions(options) ?? base?.rule.keys ?? { from: 'discovery' },
  } as const;
  const isPreset = base !== null && trustRuleText(rule) === trustRuleText(base.rule);
  return { rule, letsIn: isPreset ? base.letsIn : trustRuleText(rule) };
}

function presetRule(name: string, fields: Record<string, string>, audience: string) {
  const preset = TRUST_PRESETS.find((each) => each.name === name);
  if (preset === undefined) throw new AppError('invalid', `There is no preset ${JSON.stringify(name)}.`);
  const outcome = ruleFromPreset(preset, fields, audience);
  if (!Array.isArray(outcome)) return outcome;
  throw new AppError('invalid', outcome.map(({ problem }) => problem).join(' '), { faults: outcome });
}

function lifeSeconds({ life }: TrustOptions, base: TrustRule | undefined): number {
  return life === undefined && base !== undefined ? base.lifeSecondsMax : (life ?? LIFE_MS) / 1000;
}

function reuseOf({ reuse }: TrustOptions): TrustRule['reuse'] | undefined {
  return reuse === 'until-expired' ? 'until_expired' : reuse;
}

function keysOfOptions({ jwksUrl, jwks }: TrustOptions): TrustedKeys | undefined {
  if (jwksUrl !== undefined) return { from: 'url', url: jwksUrl };
  return jwks === undefined ? undefined : { from: 'inline', jwks: readKeySet(jwks) };
}

function readKeySet(file: string): JsonWebKeySet {
  const text = readTextFile(file);
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && 'keys' in value && Array.isArray(value.keys))
      return { keys: value.keys };
  } catch {
    // The error below says what is missing.
  }
  throw new AppError(
    'invalid',
    `The file ${file} is not a key set: a JSON object with "keys" (RFC 7517 §5).`,
  );
}

/** Argument parser for commander: collects `name=value`. */
function field(text: string, before: Record<string, string> = {}): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('Give name=value.');
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

/** Argument parser for commander: collects `name=value`, `name=prefix*` and `name:=json`. */
function claim(text: string, before: Record<string, ClaimMatch> = {}): Record<string, ClaimMatch> {
  const at = text.indexOf('=');
  const isJson = text[at - 1] === ':';
  const name = text.slice(0, isJson ? at - 1 : at);
  if (at < 1 || name === '') throw new InvalidArgumentError('Give name=value, name=prefix* or name:=json.');
  const value = text.slice(at + 1);
  const match = isJson ? jsonValue(value) : value.endsWith('*') ? { prefix: value.slice(0, -1) } : value;
  const earlier = Object.hasOwn(before, name) ? before[name] : undefined;
  return { ...before, [name]: earlier === undefined ? match : [...valuesOf(earlier), ...valuesOf(match)] };
}

function valuesOf(match: ClaimMatch): readonly ClaimValue[] {
  if (typeof match !== 'object') return [match];
  if ('prefix' in match)
    throw new InvalidArgumentError('A claim has one prefix, or one of several whole values.');
  return match;
}

function jsonValue(text: string): ClaimMatch {
  try {
    const value: unknown = JSON.parse(text);
    const values: readonly unknown[] = Array.isArray(value) ? value : [value];
    if (values.every((each) => ['string', 'number', 'boolean'].includes(typeof each)))
      return value as ClaimMatch;
  } catch {
    // The error below says what is allowed.
  }
  throw new InvalidArgumentError(
    'After := comes a text in quotation marks, a number, true or false, or a list of them.',
  );
}
