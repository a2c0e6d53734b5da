// The lower limit of a token's cost on node:http: parse the form, hash the secret, compare, sign ES256 with
// the same claims, respond. No limits, scopes, logs, statistics or error handling.
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { accessTokenSigner } from '../packages/server/src/domain/access-token.ts';
import { pooledRandom } from '../packages/server/src/lib/random.ts';
import { seededSecrets } from './peers/secrets.ts';

const [port = '0', apiUsers = '1'] = process.argv.slice(2);
const isSecretOf = seededSecrets(Number(apiUsers));
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const sign = accessTokenSigner('ES256', 'limit', privateKey);
const newTokenId = pooledRandom(16, 'base64url');
const issuer = `http://localhost:${port}/marketing`;

createServer((request, response) => {
  if (request.method === 'GET') {
    response.end(
      JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'limit', alg: 'ES256' }] }),
    );
    return;
  }
  let body = '';
  request.setEncoding('latin1');
  request.on('data', (chunk: string) => (body += chunk));
  request.on('end', () => {
    const form = new Map<string, string>();
    for (const pair of body.split('&')) {
      const equals = pair.indexOf('=');
      form.set(pair.slice(0, equals), pair.slice(equals + 1));
    }
    const clientId = form.get('client_id') ?? '';
    if (!isSecretOf(clientId, form.get('client_secret') ?? '')) {
      response.writeHead(403).end();
      return;
    }
    const now = Math.floor(Date.now() / 1000);
    const accessToken = sign({
      issuer,
      clientId,
      audience: issuer,
      scope: 'campaigns:read',
      issuedAt: now,
      expiresAt: now + 900,
      tokenId: newTokenId(),
      members: '',
    });
    const answer = `{"access_token":"${accessToken}","token_type":"Bearer","expires_in":900,"scope":"campaigns:read"}`;
    response.writeHead(200, [
      'Cache-Control',
      'no-store',
      'Pragma',
      'no-cache',
      'Content-Type',
      'application/json',
      'Content-Length',
      String(answer.length),
    ]);
    response.end(answer, 'latin1');
  });
}).listen(Number(port), '127.0.0.1', () => console.log('ready'));
