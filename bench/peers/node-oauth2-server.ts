// @node-oauth/oauth2-server with a model in memory. Its model creates the token.
import OAuth2Server from '@node-oauth/oauth2-server';
import { AUDIENCE, SCOPE, serve, TOKEN_SECONDS, type World } from './form-server.ts';

await serve((world) => {
  const server = new OAuth2Server({ model: modelOf(world), accessTokenLifetime: TOKEN_SECONDS });
  return async (form, headers) => {
    const request = new OAuth2Server.Request({ method: 'POST', headers, query: {}, body: form });
    const response = new OAuth2Server.Response();
    try {
      await server.token(request, response);
    } catch (error) {
      response.status = (error as OAuth2Server.OAuthError).code;
    }
    return {
      status: response.status ?? 500,
      headers: response.headers ?? {},
      body: response.body as unknown,
    };
  };
});

function modelOf({ issuer, isSecretOf, sign, newTokenId }: World): OAuth2Server.ClientCredentialsModel {
  return {
    getClient: (id, secret) =>
      Promise.resolve(isSecretOf(id, secret) && { id, grants: ['client_credentials'] }),
    getUserFromClient: ({ id }) => Promise.resolve({ id }),
    validateScope: (_user, _client, scope) =>
      Promise.resolve((scope ?? []).every((each) => each === SCOPE) ? [SCOPE] : false),
    generateAccessToken({ id }, _user, scope) {
      const now = Math.floor(Date.now() / 1000);
      const times = { iat: now, exp: now + TOKEN_SECONDS };
      const subject = { iss: issuer, sub: id, client_id: id, aud: AUDIENCE };
      const claims = { ...subject, ...times, jti: newTokenId(), scope: scope.join(' ') };
      return sign(claims);
    },
    // A JWT needs no store.
    saveToken: (token, client, user) => Promise.resolve({ ...token, client, user }),
    getAccessToken: () => Promise.resolve(false),
  };
}
