// @jmondi/oauth2-server with repositories in memory. Its own signer knows only HS256, so it gets one for ES256.
import {
  AuthorizationServer,
  DateInterval,
  OAuthException,
  OAuthRequest,
  type JwtInterface,
  type OAuthClient,
  type OAuthTokenRepository,
} from '@jmondi/oauth2-server';
import { AUDIENCE, SCOPE, serve, TOKEN_SECONDS, type World } from './form-server.ts';

await serve((world) => {
  const { isSecretOf } = world;
  const server = new AuthorizationServer(
    {
      getByIdentifier: (id) => Promise.resolve(clientOf(id)),
      isClientValid: (_grant, { id }, secret) => Promise.resolve(isSecretOf(id, secret ?? '')),
    },
    tokenRepository(world),
    {
      getAllByIdentifiers: (names) =>
        Promise.resolve(names.filter((name) => name === SCOPE).map((name) => ({ name }))),
      finalize: (scopes) => Promise.resolve(scopes),
    },
    signerOf(world),
  );
  server.enableGrantType('client_credentials', new DateInterval(`${TOKEN_SECONDS}s`));
  return async (body, headers) => {
    try {
      return await server.respondToAccessTokenRequest(new OAuthRequest({ body, headers }));
    } catch (error) {
      if (!(error instanceof OAuthException)) throw error;
      return { status: error.status, headers: {}, body: { error: error.errorType } };
    }
  };
});

/** The secret is only there to mark the client as confidential: its digest is checked. */
function clientOf(id: string): OAuthClient {
  const allowedGrants: OAuthClient['allowedGrants'] = ['client_credentials'];
  return { id, name: id, secret: 'digest', redirectUris: [], allowedGrants, scopes: [] };
}

function tokenRepository({ newTokenId }: World): OAuthTokenRepository {
  const unused = (): never => {
    throw new Error('Client credentials use no stored token.');
  };
  return {
    issueToken: (client, scopes) =>
      Promise.resolve({
        accessToken: newTokenId(),
        accessTokenExpiresAt: new Date(),
        client,
        user: { id: client.id },
        scopes,
      }),
    // A JWT needs no store.
    persist: () => Promise.resolve(),
    issueRefreshToken: unused,
    revoke: unused,
    isRefreshTokenRevoked: unused,
    getByRefreshToken: unused,
  };
}

function signerOf({ issuer, sign }: World): JwtInterface {
  const unused = (): never => {
    throw new Error('Nothing is verified here.');
  };
  return {
    sign: (claims) => sign(claims as object),
    extraTokenFields: ({ client }) => ({ iss: issuer, aud: AUDIENCE, client_id: client.id }),
    verify: unused,
    decode: unused,
  };
}
