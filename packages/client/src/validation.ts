import { ConfigurationError } from './configuration-error.ts';
import { shown } from './escape.ts';
import { mustBePrintable } from './printable.ts';
import { property } from './redaction.ts';

/** A test of an option's value and its description. */
export type Rule = readonly [holds: (value: unknown) => boolean, requirement: string];
export type Rules = Record<string, Rule>;

const isFunction = (value: unknown) => typeof value === 'function';
const isPattern = (pattern: RegExp) => (value: unknown) => typeof value === 'string' && pattern.test(value);

export const text: Rule = [isPattern(/./s), 'a string that is not empty'];
export const flag: Rule = [(value) => typeof value === 'boolean', 'true or false'];
export const aFunction: Rule = [isFunction, 'a function'];
export const orFunction = ([holds, requirement]: Rule): Rule => [
  (value) => holds(value) || isFunction(value),
  `${requirement} or a function`,
];
export const pattern = (of: RegExp, requirement: string): Rule => [isPattern(of), requirement];
export const objectWith = (...functions: string[]): Rule => [
  (value) => functions.every((name) => isFunction(property(value, name))),
  `an object with ${functions.join('() and ')}()`,
];
/** Up to the longest time of setTimeout, which fires at once for larger ones. */
export const number = (min: number): Rule => [
  (value) => typeof value === 'number' && value >= min && value < 2 ** 31,
  `a number from ${min} to ${2 ** 31 - 1}`,
];

/**
 * Checks each defined option. Errors quote the value, unless it may hold a secret.
 *
 * @throws ConfigurationError for the first unknown or wrong option.
 */
export function check(options: object, rules: Rules, prefix = ''): void {
  for (const name of Object.keys(options)) {
    const option = prefix + name;
    const value = property(options, name);
    const [holds, requirement] = (Object.hasOwn(rules, name) && rules[name]) || [];
    if (!holds) throw new ConfigurationError(option, `is not one of ${Object.keys(rules).join(', ')}`);
    mustBePrintable(option, value);
    if (value === undefined || holds(value)) continue;
    const json = shown(JSON.stringify(value) ?? '');
    // A URL may hold a password, an object a private key.
    const quoted = name === 'clientSecret' || /@|":/.test(json) ? '' : `, not ${json}`;
    throw new ConfigurationError(option, `must be ${requirement}${quoted}`);
  }
}
