import { ConfigurationError } from './configuration-error.ts';
import { escaped, unprintable } from './escape.ts';

/**
 * Checks the text of a setting. A control character, half a surrogate pair or a byte order mark in it comes from a file or
 * a program of another system (an env file from Windows ends its lines with `\r`), and would be sent along.
 *
 * @throws ConfigurationError that shows the character, and not the text: that may be a secret.
 */
export function mustBePrintable(option: string, value: unknown, where = ''): void {
  const [character] = (typeof value === 'string' && unprintable.exec(value)) || [];
  if (character === undefined) return;
  throw new ConfigurationError(option, `has the control character ${escaped(character)}${where}`);
}
