import { ConfigurationError } from './configuration-error.ts';
import { escaped, unprintable } from './escape.ts';

/**
 * Rejects control characters, half surrogate pairs and byte order marks in a setting. They come from files of
 * other systems, such as an env file with `\r` at each line's end, and would be sent to the server.
 *
 * @throws ConfigurationError that shows the character but not the text, which may be a secret.
 */
export function mustBePrintable(option: string, value: unknown, where = ''): void {
  const [character] = (typeof value === 'string' && unprintable.exec(value)) || [];
  if (!character) return;
  throw new ConfigurationError(option, `has the control character ${escaped(character)}${where}`);
}
