import type { RequestListener } from 'node:http';
import { newKeyClient, RESOURCE, SCOPES, served, versionOf, type Subject } from './subject.ts';

interface OidcProviderPackage {
  default: new (issuer: string, configuration: object) => { callback(): RequestListener };
  errors: { InvalidTarget: new () => Error };
}

/** Not a literal, because the package has no types. */
const OIDC_PROVIDER: string = 'oidc-provider';

const API = {
  scope: SCOPES.join(' '),
  audience: RESOURCE,
  accessTokenTTL: 900,
};

/** The format of access tokens. JWTs of oidc-provider can be neither introspected nor revoked. */
export type TokenFormat = 'jwt' | 'opaque';

/** oidc-provider with client credentials, tokens for one API, introspection and revocation. */
export async function startOidcProvider(format: TokenFormat): Promise<Subject> {
  const { default: Provider, errors } = (await import(OIDC_PROVIDER)) as OidcProviderPackage;
  const client = { id: 'importer', secret: 'a secret: for & this+test' };
  const otherClient = { id: 'exporter', secret: 'another-secret-for-this-test' };
  const keyClient = newKeyClient('key-importer');
  const machine = { grant_types: ['client_credentials'], redirect_uris: [], response_types: [] };
  const withSecret = ({ id, secret }: typeof client) => ({
    ...machine,
    client_id: id,
    client_secret: secret,
  });
  const { url, close } = await served((issuer) =>
    new Provider(issuer, {
      clients: [
        withSecret(client),
        withSecret(otherClient),
        {
          ...machine,
          client_id: keyClient.id,
          token_endpoint_auth_method: 'private_key_jwt',
          jwks: { keys: [keyClient.publicJwk] },
        },
      ],
      scopes: SCOPES,
      features: {
        devInteractions: { enabled: false },
        clientCredentials: { enabled: true },
        introspection: { enabled: true },
        revocation: { enabled: true },
        resourceIndicators: {
          enabled: true,
          defaultResource: () => RESOURCE,
          getResourceServerInfo(_context: unknown, resource: string) {
            if (resource !== RESOURCE) throw new errors.InvalidTarget();
            return { ...API, accessTokenFormat: format };
          },
        },
      },
    }).callback(),
  );
  return {
    name: 'oidc-provider',
    version: `${versionOf('oidc-provider')}, ${format === 'jwt' ? 'JWTs' : 'opaque tokens'}`,
    target: { url, client, otherClient, keyClient, scopes: SCOPES, resource: RESOURCE, protectedUrl: 'none' },
    deviations: [],
    [Symbol.asyncDispose]: close,
  };
}
