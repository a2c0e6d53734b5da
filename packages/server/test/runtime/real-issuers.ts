// Issuers by other authors, behind the https server of issuer.ts, which can stop and misbehave.
import { once } from 'node:events';
import type { IncomingMessage, RequestListener } from 'node:http';
import { request } from 'node:https';
import { json as readJson } from 'node:stream/consumers';
import { exportJWK, generateKeyPair, type JWK } from 'jose';
import { OAuth2Issuer, OAuth2Service } from 'oauth2-mock-server';
import { DISCOVERY, type Issuer, type Tls } from './issuer.ts';

export interface RealIssuer {
  /** `sub` of its tokens. */
  subject: string;
  /** Replaces its key by a new one. */
  rotate(): Promise<void>;
  /** A token for the audience, which an endpoint of the issuer or its library signs with the newest key. */
  token(): Promise<string>;
}

interface OidcProvider {
  new (issuer: string, configuration: object): { callback(): RequestListener };
}

// Not a literal, because it comes without types.
const OIDC_PROVIDER: string = 'oidc-provider';
const SUBJECT = 'workload';
const SECRET = 'secret-of-a-test';

/** oidc-provider signs with ES256. Its access tokens have the `typ` of a JWT without a profile. */
export async function oidcProvider(issuer: Issuer, tls: Tls, audience: string): Promise<RealIssuer> {
  const { default: Provider } = (await import(OIDC_PROVIDER)) as { default: OidcProvider };
  return await rotated({
    subject: SUBJECT,
    async rotate() {
      const key = await newKey('ES256');
      const provider = new Provider(issuer.url, configuration(audience, key));
      mount(issuer, provider.callback(), '/token');
    },
    token: async () => await tokenOf(issuer, tls),
  });
}

function configuration(audience: string, key: JWK): object {
  const client = {
    client_id: SUBJECT,
    client_secret: SECRET,
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
    id_token_signed_response_alg: 'ES256',
  };
  const resourceServer = {
    scope: '',
    audience,
    accessTokenFormat: 'jwt',
    jwt: { sign: { alg: 'ES256' } },
  };
  return {
    clients: [client],
    jwks: { keys: [key] },
    features: {
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => audience,
        getResourceServerInfo: () => resourceServer,
      },
    },
    formats: {
      customizers: {
        jwt: (_context: unknown, _token: unknown, parts: { header?: object }) => {
          parts.header = { typ: 'JWT' };
        },
      },
    },
  };
}

/** oauth2-mock-server signs with RS256. */
export async function mockServer(issuer: Issuer, _tls: Tls, audience: string): Promise<RealIssuer> {
  let signer = new OAuth2Issuer();
  return await rotated({
    subject: SUBJECT,
    async rotate() {
      signer = new OAuth2Issuer();
      signer.url = issuer.url;
      await signer.keys.generate('RS256');
      mount(issuer, new OAuth2Service(signer).requestHandler);
    },
    async token() {
      const claims = { sub: SUBJECT, aud: audience, jti: crypto.randomUUID() };
      return await signer.buildToken({
        expiresIn: 600,
        scopesOrTransform: (_header, payload) => void Object.assign(payload, claims),
      });
    },
  });
}

async function rotated(real: RealIssuer): Promise<RealIssuer> {
  await real.rotate();
  return real;
}

function mount(issuer: Issuer, handle: RequestListener, ...others: string[]): void {
  for (const path of [DISCOVERY, ...others]) issuer.handlers.set(path, handle);
  issuer.handlers.set('/jwks', (incoming, response) => {
    if (issuer.cacheControl !== undefined) response.setHeader('Cache-Control', issuer.cacheControl);
    handle(incoming, response);
  });
}

async function newKey(algorithm: string): Promise<JWK> {
  const { privateKey } = await generateKeyPair(algorithm, { extractable: true });
  return { ...(await exportJWK(privateKey)), alg: algorithm, kid: crypto.randomUUID(), use: 'sig' };
}

/** A token for the workload, from the token endpoint of the issuer. */
async function tokenOf({ port }: Issuer, tls: Tls): Promise<string> {
  const headers = {
    authorization: `Basic ${Buffer.from(`${SUBJECT}:${SECRET}`).toString('base64')}`,
    'content-type': 'application/x-www-form-urlencoded',
  };
  const options = { host: 'localhost', port, path: '/token', method: 'POST', headers, ca: tls.cert };
  const sent = request(options).end('grant_type=client_credentials');
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  const body = (await readJson(response)) as { access_token?: string };
  if (body.access_token === undefined) throw new Error(JSON.stringify(body));
  return body.access_token;
}
