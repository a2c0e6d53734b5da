import { runtime } from './builtin.ts';
import { ConfigurationError } from './configuration-error.ts';
import { parseJson } from './inline-response-200.ts';
import { mustBePrintable } from './printable.ts';
import { property } from './redaction.ts';

interface Credentials {
  readonly clientId: string;
  readonly clientSecret: string | (() => Promise<string>);
  readonly host?: string;
  readonly allowInsecure?: boolean;
}

const PREFIX = 'MINTMARK_CLIENT_';

export function credentialsFromEnv(
  env: Record<string, string | undefined> = runtime?.env ?? {},
): Credentials {
  const [clientId, secret, file, insecure] = ['ID', 'SECRET', 'SECRET_FILE', 'ALLOW_INSECURE'].map((name) => {
    const value = env[PREFIX + name];
    mustBePrintable(PREFIX + name, value);
    return value;
  });
  if (insecure && !/^(true|false)$/.test(insecure))
    throw new ConfigurationError(`${PREFIX}ALLOW_INSECURE`, 'must be true or false');
  if (!clientId) throw new ConfigurationError(`${PREFIX}ID`, 'is not set in the environment');
  const allowInsecure = insecure === 'true';
  if (secret) return { clientId, clientSecret: secret, allowInsecure };
  if (!file)
    throw new ConfigurationError(`${PREFIX}SECRET`, 'is not set in the environment, nor is its file');
  return { clientId, clientSecret: () => secretFromFile(file), allowInsecure };
}

async function secretFromFile(path: string): Promise<string> {
  const secret = (await readTextFile(path, 'is not text')).replace(/[\r\n]+$/, '');
  if (!secret) throw new ConfigurationError(path, 'is empty');
  mustBePrintable(path, secret);
  return secret;
}

export async function credentialsFromFile(path: string, profile?: string): Promise<Credentials> {
  mustBePrintable('path', path);
  const file = parseJson(await readTextFile(path, 'is not JSON'));
  if (file === undefined) throw new ConfigurationError(path, 'is not JSON');
  const fields = profile === undefined ? (property(file, 'default') ?? file) : property(file, profile);
  const host = property(fields, 'host');
  const member = (name: string) => {
    const value = property(fields, name);
    mustBePrintable(path, value, ` in ${name}`);
    if (typeof value === 'string') return value;
    throw new ConfigurationError(
      path,
      `has no ${name}${profile === undefined ? '' : ` in profile "${profile}"`}`,
    );
  };
  const credentials = { clientId: member('client_id'), clientSecret: member('client_secret') };
  return host === undefined ? credentials : { ...credentials, host: member('host') };
}

/** Reads UTF-8 without the byte order mark. No `import` of `node:fs`, which breaks bundles for browsers. */
async function readTextFile(path: string, problem: string): Promise<string> {
  const files = runtime?.getBuiltinModule?.('node:fs/promises');
  if (!files) throw new ConfigurationError(path, 'cannot be read here');
  const bytes = await files.readFile(path);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new ConfigurationError(path, `${problem}: save it as UTF-8`);
  }
}
