// oidc-provider with client credentials and JWTs, as its documentation configures them. One client is static; more are
// found through an adapter in memory.
import { generateKeyPairSync } from 'node:crypto';
import { createServer, type RequestListener } from 'node:http';
import { clientIdAt, secretAt } from '../population.ts';
import { AUDIENCE, SCOPE, TOKEN_SECONDS } from './form-server.ts';

/** Not a literal, because the package has no types. */
const OIDC_PROVIDER: string = 'oidc-provider';

const { default: Provider } = (await import(OIDC_PROVIDER)) as {
  default: new (issuer: string, configuration: object) => { callback(): RequestListener };
};

const [port = '0', apiUsers = '1'] = process.argv.slice(2);
const secrets = new Map<string, string>();
for (let index = 0; index < Number(apiUsers); index++) secrets.set(clientIdAt(index), secretAt(index));
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

function metadataOf([id, secret]: [id: string, secret: string]): object {
  return {
    client_id: id,
    client_secret: secret,
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
    token_endpoint_auth_method: 'client_secret_post',
  };
}

/** Clients by id. A JWT needs no store, so everything else that is called is a fault of this set-up. */
class Clients {
  find(id: string): Promise<object | undefined> {
    const secret = secrets.get(id);
    return Promise.resolve(secret === undefined ? undefined : metadataOf([id, secret]));
  }
}

const provider = new Provider(`http://localhost:${port}`, {
  ...(secrets.size === 1 ? { clients: Array.from(secrets, metadataOf) } : { adapter: Clients }),
  clientDefaults: { id_token_signed_response_alg: 'ES256' },
  jwks: {
    keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'bench', alg: 'ES256', use: 'sig' }],
  },
  scopes: [SCOPE],
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => AUDIENCE,
      getResourceServerInfo: () => ({
        scope: SCOPE,
        audience: AUDIENCE,
        accessTokenTTL: TOKEN_SECONDS,
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
});

createServer(provider.callback()).listen(Number(port), '127.0.0.1', () => console.log('ready'));
