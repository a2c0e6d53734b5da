import type { Check } from '../check.ts';
import { notApplicable } from '../not-judged.ts';
import { insertedUrl } from '../discovery.ts';
import { expectJson, expectStatus, expectValue, isText, listOf } from '../expect.ts';
import { anyOf, quoted } from '../quoted.ts';

const AUTHENTICATED_ENDPOINTS = ['token_endpoint', 'introspection_endpoint', 'revocation_endpoint'];
const JWT_METHODS = new Set(['private_key_jwt', 'client_secret_jwt']);
const ASYMMETRIC_METHODS = new Set(['private_key_jwt', 'tls_client_auth', 'self_signed_tls_client_auth']);
/** The method of a client that a server without the member expects (RFC 8414 §2). */
const DEFAULT_METHODS = ['client_secret_basic'];
const METHOD_NAMES = { basic: 'client_secret_basic', form: 'client_secret_post' } as const;

/** A URL with TLS; the servers of tests on the machine itself need none. */
function isProtected(url: string): boolean {
  const { protocol, hostname } = new URL(url);
  const isLocal = hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.');
  return protocol === 'https:' || (protocol === 'http:' && isLocal);
}

export const METADATA_CHECKS: readonly Check[] = [
  {
    id: 'metadata-published',
    section: 'RFC 9700 §2.6',
    level: 'SHOULD',
    rule: 'The server publishes metadata.',
    run: async ({ target }) => (target.discovery === null ? 'No well-known URL has a JSON object.' : null),
  },
  {
    id: 'metadata-path',
    section: 'RFC 8414 §3',
    level: 'MUST',
    rule: 'The well-known path stands between the host and the path of the issuer.',
    async run(probe) {
      const url = insertedUrl(probe.metadata() && probe.target.options.url);
      const answer = await probe.send({ method: 'GET', url });
      return expectStatus(answer, [200]) ?? expectJson(answer);
    },
  },
  {
    id: 'metadata-json',
    section: 'RFC 8414 §3.2',
    level: 'MUST',
    rule: 'Metadata have the content type application/json.',
    async run(probe) {
      probe.metadata();
      return expectJson(await probe.send({ method: 'GET', url: probe.target.discovery?.url ?? '' }));
    },
  },
  {
    id: 'metadata-issuer',
    section: 'RFC 8414 §3.3',
    level: 'MUST',
    rule: 'The issuer in the metadata is identical with the one whose metadata were requested.',
    run: async (probe) => expectValue('issuer', probe.metadata()['issuer'], probe.target.options.url),
  },
  {
    id: 'metadata-issuer-url',
    section: 'RFC 8414 §2',
    level: 'MUST',
    rule: 'The issuer is an https URL (http only on the machine itself) without query and fragment.',
    async run(probe) {
      const { issuer } = probe.metadata();
      const isRight = isText(issuer) && URL.canParse(issuer) && isProtected(issuer) && !/[?#]/.test(issuer);
      return isRight ? null : `The issuer is ${quoted(issuer)}.`;
    },
  },
  {
    id: 'metadata-endpoints',
    section: 'RFC 8414 §2; RFC 6749 §3.2',
    level: 'MUST',
    rule: 'Metadata name a token endpoint, and each endpoint by an https URL (http only on the machine itself) without fragment.',
    async run(probe) {
      const metadata = probe.metadata();
      if (!isText(metadata['token_endpoint'])) return 'There is no token_endpoint.';
      const urls = Object.entries(metadata).filter(([name]) => /_(endpoint|uri)$/.test(name));
      const wrong = urls.filter(
        ([, url]) => !isText(url) || !URL.canParse(url) || !isProtected(url) || url.includes('#'),
      );
      return wrong.length === 0 ? null : wrong.map(([name, url]) => `${name} is ${quoted(url)}.`).join(' ');
    },
  },
  {
    id: 'metadata-response-types',
    section: 'RFC 8414 §2',
    level: 'MUST',
    rule: 'Metadata have the list response_types_supported.',
    async run(probe) {
      const value = probe.metadata()['response_types_supported'];
      return Array.isArray(value) ? null : `response_types_supported is ${quoted(value)}.`;
    },
  },
  {
    id: 'metadata-grant-type',
    section: 'RFC 8414 §2',
    level: 'MUST',
    rule: 'The list grant_types_supported has client_credentials; without a list it would not.',
    async run(probe) {
      const value = probe.metadata()['grant_types_supported'];
      return listOf(value).includes('client_credentials')
        ? null
        : `grant_types_supported is ${quoted(value)}.`;
    },
  },
  {
    id: 'metadata-empty-lists',
    section: 'RFC 8414 §3.2',
    level: 'MUST',
    rule: 'Metadata leave out empty lists, except for response_types_supported, which §2 requires.',
    async run(probe) {
      const empty = Object.entries(probe.metadata()).filter(
        ([name, value]) => name !== 'response_types_supported' && Array.isArray(value) && value.length === 0,
      );
      return empty.length === 0 ? null : `Empty: ${empty.map(([name]) => name).join(', ')}.`;
    },
  },
  {
    id: 'metadata-auth-methods',
    section: 'RFC 8414 §2',
    level: 'MUST',
    rule: 'The methods of authentication that work are in token_endpoint_auth_methods_supported.',
    async run(probe) {
      const value = probe.metadata()['token_endpoint_auth_methods_supported'] ?? DEFAULT_METHODS;
      const missing = probe.target.methods
        .map((method) => METHOD_NAMES[method])
        .filter((method) => !listOf(value).includes(method));
      return missing.length === 0 ? null : `The list is ${quoted(value)}, but ${anyOf(missing)} works.`;
    },
  },
  {
    id: 'metadata-signing-algorithms',
    section: 'RFC 8414 §2',
    level: 'MUST',
    rule: 'An endpoint with authentication by JWT names its algorithms, and none is not among them.',
    async run(probe) {
      const metadata = probe.metadata();
      const endpoints = AUTHENTICATED_ENDPOINTS.filter((endpoint) =>
        listOf(metadata[`${endpoint}_auth_methods_supported`]).some((method) =>
          JWT_METHODS.has(String(method)),
        ),
      );
      if (endpoints.length === 0) notApplicable('No endpoint lists authentication by JWT.');
      const members = endpoints.map((endpoint) => `${endpoint}_auth_signing_alg_values_supported`);
      const wrong = members.filter((member) => {
        const algorithms = listOf(metadata[member]);
        return algorithms.length === 0 || algorithms.includes('none');
      });
      return wrong.length === 0
        ? null
        : wrong.map((member) => `${member} is ${quoted(metadata[member])}.`).join(' ');
    },
  },
  {
    id: 'metadata-asymmetric',
    section: 'RFC 9700 §2.5',
    level: 'SHOULD',
    rule: 'Clients can authenticate with a key pair: by a signed JWT or a TLS certificate.',
    async run(probe) {
      const methods = listOf(probe.metadata()['token_endpoint_auth_methods_supported']);
      return methods.some((method) => ASYMMETRIC_METHODS.has(String(method)))
        ? null
        : `token_endpoint_auth_methods_supported is ${quoted(methods)}.`;
    },
  },
  {
    id: 'metadata-password-grant',
    section: 'RFC 9700 §2.4',
    level: 'MUST',
    rule: 'Metadata do not offer the grant type password.',
    async run(probe) {
      const types = probe.metadata()['grant_types_supported'];
      return listOf(types).includes('password') ? `grant_types_supported is ${quoted(types)}.` : null;
    },
  },
  {
    id: 'metadata-implicit-grant',
    section: 'RFC 9700 §2.1.2',
    level: 'SHOULD',
    rule: 'Metadata offer no response type that puts an access token into a URL.',
    async run(probe) {
      const types = listOf(probe.metadata()['response_types_supported']);
      const implicit = types.filter((type) => String(type).split(' ').includes('token'));
      return implicit.length === 0 ? null : `response_types_supported has ${quoted(implicit)}.`;
    },
  },
];
