import { runtime } from './builtin.ts';
import type { ConfigurationParameters } from './configuration.ts';
import { Configuration } from './configuration.ts';
import { ConfigurationError } from './configuration-error.ts';
import { identityToken } from './identity.ts';
import { privateKey } from './key.ts';
import { mustBePrintable } from './printable.ts';
import type { ClientAssertion } from './settings.ts';

const SECRETS = ['MINTMARK_CLIENT_SECRET', 'MINTMARK_CLIENT_SECRET_FILE'];

const sources: Readonly<Record<string, (file: string) => ClientAssertion>> = {
  MINTMARK_CLIENT_KEY_FILE: (file) => privateKey({ key: { file } }),
  MINTMARK_IDENTITY_TOKEN_FILE: (file) => identityToken({ file }),
};

/**
 * Like `Configuration.fromEnv`, for programs whose environment chooses the credential. Besides a secret or
 * its file it reads `MINTMARK_CLIENT_KEY_FILE`, a private key (PEM or JWK), and
 * `MINTMARK_IDENTITY_TOKEN_FILE`, a token from a different issuer. One of them must be set.
 *
 * @throws ConfigurationError that names the missing, wrong or superfluous variable.
 */
export function fromEnv(
  parameters: ConfigurationParameters = {},
  env: Record<string, string | undefined> = runtime?.env ?? {},
): Configuration {
  const [name, ...others] = [...Object.keys(sources), ...SECRETS].filter((each) => env[each]);
  const source = name === undefined ? undefined : sources[name];
  const file = name === undefined ? undefined : env[name];
  if (!name || !source || !file) return Configuration.fromEnv(parameters, env);
  if (others[0]) throw new ConfigurationError(name, `is set, and so is ${others[0]}: keep one of them`);
  mustBePrintable(name, file);
  return Configuration.fromEnv({ ...parameters, clientAuthentication: source(file) }, env);
}
