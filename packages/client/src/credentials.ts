import { runtime } from './builtin.ts';
import { ConfigurationError } from './configuration-error.ts';
import { parseJson } from './inline-response-200.ts';
import { mustBePrintable } from './printable.ts';
import { property } from './redaction.ts';
import { readSecretFile, readTextFile } from './text-file.ts';

interface Credentials {
  readonly clientId: string;
  readonly clientSecret?: string | (() => Promise<string>);
  readonly host?: string;
  readonly allowInsecure?: boolean;
}

const PREFIX = 'MINTMARK_CLIENT_';

export function credentialsFromEnv(
  env: Record<string, string | undefined> = runtime?.env ?? {},
  clientAuthentication?: unknown,
): Credentials {
  const [clientId, secret, file, insecure] = ['ID', 'SECRET', 'SECRET_FILE', 'ALLOW_INSECURE'].map((name) => {
    const value = env[PREFIX + name];
    mustBePrintable(PREFIX + name, value);
    return value;
  });
  if (insecure && !/^(true|false)$/.test(insecure))
    throw new ConfigurationError(`${PREFIX}ALLOW_INSECURE`, 'must be true or false');
  if (!clientId) throw new ConfigurationError(`${PREFIX}ID`, 'is not set');
  const credentials = { clientId, allowInsecure: insecure === 'true' };
  if (typeof clientAuthentication === 'function') return credentials;
  const clientSecret = secret || (file && (() => readSecretFile(file)));
  if (!clientSecret)
    throw new ConfigurationError(
      `${PREFIX}SECRET`,
      'is not set, nor is its file (for keys: @mintmark/client/env)',
    );
  return { ...credentials, clientSecret };
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
