import { onOneLine } from './characters.ts';
import type { ClaimMatch, TrustRule } from './trust-rule.ts';

/** What a rule lets in: `tokens of https://… whose sub is "…" and whose ref is "…"`. */
export function trustRuleText({ issuer, subject, claims }: TrustRule): string {
  const conditions = [
    `sub ${subject === '*' ? 'is anything' : textOf(subject)}`,
    ...Object.entries(claims).map(([name, match]) => `${name} ${claimText(match)}`),
  ];
  return `tokens of ${issuer} whose ${conditions.join(' and whose ')}`;
}

function textOf(subject: string): string {
  return subject.endsWith('*') ? claimText({ prefix: subject.slice(0, -1) }) : claimText(subject);
}

function claimText(match: ClaimMatch): string {
  return typeof match === 'object' && 'prefix' in match
    ? `begins with ${valueText(match.prefix)}`
    : `is ${matchText(match)}`;
}

/** `"main"`, `"a" or "b"`, `"refs/tags/*"` */
export function matchText(match: ClaimMatch): string {
  if (typeof match !== 'object') return valueText(match);
  return 'prefix' in match ? valueText(`${match.prefix}*`) : match.map(valueText).join(' or ');
}

const TEXT_LENGTH_MAX = 200;

/** A value of a token or rule as JSON on one line, cut. */
export function valueText(value: unknown): string {
  if (value === undefined) return 'absent';
  const text = onOneLine(value);
  return text.length > TEXT_LENGTH_MAX ? `${text.slice(0, TEXT_LENGTH_MAX)}…` : text;
}
