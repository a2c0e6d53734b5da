import { runtime } from './builtin.ts';
import { ConfigurationError } from './configuration-error.ts';
import { parseJson } from './inline-response-200.ts';
import { property } from './redaction.ts';

interface Credentials {
  readonly clientId: string;
  readonly clientSecret: string | (() => Promise<string>);
  readonly host?: string;
}

const PREFIX = 'MINTMARK_CLIENT_';

export function credentialsFromEnv(
  env: Record<string, string | undefined> = runtime?.env ?? {},
): Credentials {
  const [clientId, secret, file] = ['ID', 'SECRET', 'SECRET_FILE'].map((name) => env[PREFIX + name]);
  if (!clientId) throw new ConfigurationError(`${PREFIX}ID`, 'is not set in the environment');
  if (secret) return { clientId, clientSecret: secret };
  if (!file)
    throw new ConfigurationError(`${PREFIX}SECRET`, 'is not set in the environment, nor is its file');
  return { clientId, clientSecret: async () => (await readTextFile(file)).replace(/\r?\n$/, '') };
}

export async function credentialsFromFile(path: string, profile?: string): Promise<Credentials> {
  const file = parseJson(await readTextFile(path));
  const fields = profile === undefined ? (property(file, 'default') ?? file) : property(file, profile);
  const host = property(fields, 'host');
  const member = (name: string) => {
    const value = property(fields, name);
    if (typeof value === 'string') return value;
    throw new ConfigurationError(
      path,
      `has no ${name}${profile === undefined ? '' : ` in profile "${profile}"`}`,
    );
  };
  const credentials = { clientId: member('client_id'), clientSecret: member('client_secret') };
  return host === undefined ? credentials : { ...credentials, host: member('host') };
}

/** Without an import, over which a bundler for browsers would stumble. */
async function readTextFile(path: string): Promise<string> {
  const files = runtime?.getBuiltinModule?.('node:fs/promises');
  if (!files) throw new ConfigurationError(path, 'cannot be read here');
  return files.readFile(path, 'utf8');
}
