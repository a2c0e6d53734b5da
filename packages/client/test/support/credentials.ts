import { Configuration } from '../../src/index.ts';
import type { ConfigurationParameters } from '../../src/index.ts';

export const clientId = 'api_test';
export const clientSecret = 'mms_test_secret';

/** A configuration for a test server, with waits that a test can afford. */
export function configure(host: string, parameters: ConfigurationParameters = {}): Configuration {
  const retry = parameters.retry === false ? false : { baseDelayMs: 5, maxDelayMs: 20, ...parameters.retry };
  return new Configuration({ host, clientId, clientSecret, ...parameters, retry });
}

/** Secrets with everything that an encoding can get wrong. */
export const awkwardSecrets: readonly string[] = [
  'a+b c&d=e%f:g',
  'ü🔑 ñ %2B%20+',
  '  leading and trailing  ',
  ':%3A:+%2B=&==&',
  '"quoted" \\back\\slash <tag> \'single\'',
  'mms_0123456789_plain',
  'täßt-日本語-🔐:🔑',
];
