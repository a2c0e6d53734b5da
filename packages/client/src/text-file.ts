import { runtime } from './builtin.ts';
import { ConfigurationError } from './configuration-error.ts';
import { mustBePrintable } from './printable.ts';

/** Reads a secret or token. Line breaks at the end of the file are not part of it. */
export async function readSecretFile(path: string): Promise<string> {
  const secret = (await readTextFile(path, 'is not text')).replace(/[\r\n]+$/, '');
  if (!secret) throw new ConfigurationError(path, 'is empty');
  mustBePrintable(path, secret);
  return secret;
}

/** Reads UTF-8 without the byte order mark. No `import` of `node:fs`, which breaks bundles for browsers. */
export async function readTextFile(path: string, problem: string): Promise<string> {
  const files = runtime?.getBuiltinModule?.('node:fs/promises');
  if (!files) throw new ConfigurationError(path, 'cannot be read here');
  const bytes = await files.readFile(path);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new ConfigurationError(path, `${problem}: save it as UTF-8`);
  }
}
