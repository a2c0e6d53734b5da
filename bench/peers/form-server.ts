// What the two libraries need around them to be servers: forms, an ES256 key and its key set, and a port. Either as
// their documentation shows it, with Express and jsonwebtoken, or bare: with node:http and the signer of the limit.
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import express from 'express';
import { ACCESS_TOKEN_TYPE, jwtSigner } from '../../packages/server/src/domain/access-token.ts';
import { pooledRandom } from '../../packages/server/src/lib/random.ts';
import { seededSecrets } from './secrets.ts';

export const SCOPE = 'campaigns:read';
export const AUDIENCE = 'https://api.example.com';
export const TOKEN_SECONDS = 900;
const KEY_ID = 'bench';

type Sign = (claims: object) => Promise<string>;

export interface World {
  issuer: string;
  isSecretOf: (clientId: string, secret: string) => boolean;
  sign: Sign;
  newTokenId: () => string;
}

export interface Answer {
  status: number;
  headers: Record<string, string>;
  body: unknown;
}

type Texts = Record<string, string>;
export type TokenEndpoint = (form: Texts, headers: Texts) => Promise<Answer>;

/** Serves the token endpoint of a library as the command line says, and prints "ready". */
export async function serve(endpointOf: (world: World) => TokenEndpoint): Promise<void> {
  const [port = '0', apiUsers = '1', kind = 'bare'] = process.argv.slice(2);
  const isBare = kind === 'bare';
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const keySet = { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: KEY_ID, alg: 'ES256' }] };
  const endpoint = endpointOf({
    issuer: `http://localhost:${port}`,
    isSecretOf: seededSecrets(Number(apiUsers)),
    sign: isBare ? bareSigner(privateKey) : await documentedSigner(privateKey),
    newTokenId: pooledRandom(16, 'base64url'),
  });
  const listener = isBare ? bareListener(endpoint, keySet) : expressListener(endpoint, keySet);
  createServer(listener).listen(Number(port), '127.0.0.1', () => console.log('ready'));
}

function bareSigner(privateKey: KeyObject): Sign {
  const sign = jwtSigner('ES256', KEY_ID, privateKey, ACCESS_TOKEN_TYPE);
  return (claims) => Promise.resolve(sign(JSON.stringify(claims)));
}

type JsonWebTokenSign = (
  claims: object,
  key: KeyObject,
  options: object,
  done: (error: Error | null, token: string) => void,
) => void;

async function documentedSigner(privateKey: KeyObject): Promise<Sign> {
  const JSONWEBTOKEN: string = 'jsonwebtoken'; // not a literal, because the package has no types
  const { default: jsonwebtoken } = (await import(JSONWEBTOKEN)) as { default: { sign: JsonWebTokenSign } };
  const sign = promisify(jsonwebtoken.sign);
  const options = { algorithm: 'ES256', keyid: KEY_ID, header: { alg: 'ES256', typ: ACCESS_TOKEN_TYPE } };
  return async (claims) => await sign(claims, privateKey, options);
}

function expressListener(endpoint: TokenEndpoint, keySet: object): RequestListener {
  const app = express();
  app.use(express.urlencoded({ extended: false }));
  app.get('/', (_request, response) => response.json(keySet));
  app.post('/token', async (request, response) => {
    const { status, headers, body } = await endpoint(request.body as Texts, request.headers as Texts);
    response.set(headers).status(status).json(body);
  });
  return app;
}

function bareListener(endpoint: TokenEndpoint, keySet: object): RequestListener {
  return (request, response) => {
    if (request.method === 'GET') return void response.end(JSON.stringify(keySet));
    let text = '';
    request.setEncoding('latin1');
    request.on('data', (chunk: string) => (text += chunk));
    request.on('end', () => {
      const form = Object.fromEntries(new URLSearchParams(text));
      void respond(response, endpoint(form, request.headers as Texts));
    });
  };
}

async function respond(response: ServerResponse, answer: Promise<Answer>): Promise<void> {
  const { status, headers, body } = await answer;
  const json = Buffer.from(JSON.stringify(body));
  const own = { 'Content-Type': 'application/json', 'Content-Length': json.length };
  response.writeHead(status, { ...headers, ...own }).end(json);
}
