// Clients that prove with a key who they are (private_key_jwt), each by another author. A change makes each
// send an assertion with a fault, as far as it lets one.
import { execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import {
  createPrivateKeyJwtAuth,
  PrivateKeyJwtProvider,
} from '@modelcontextprotocol/sdk/client/auth-extensions.js';
import { discoverAuthorizationServerMetadata, fetchToken } from '@modelcontextprotocol/sdk/client/auth.js';
import { importPKCS8, SignJWT, type CryptoKey, type JWK, type JWTPayload } from 'jose';
import * as oauth from 'oauth4webapi';
import * as openid from 'openid-client';
import { authlibPython } from '@mintmark/test-support/debian-programs';
import { AuthenticationApi, Configuration } from '../../../client/src/index.ts';
import { privateKey } from '../../../client/src/key.ts';

export const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

export interface KeyPair {
  /** The private key, PKCS #8. */
  pem: string;
  publicPem: string;
  jwk: JWK;
  publicJwk: JWK;
}

/** Who sends the request, and where to. */
export interface Sender {
  /** Issuer of the server, and base URL of its endpoints. */
  url: string;
  clientId: string;
  key: KeyPair;
  folder: string;
}

/** How an assertion differs from a good one. */
export interface Change {
  key?: KeyPair;
  /** Audience. */
  aud?: string | string[];
  sub?: string;
  jti?: string;
  /** How far ahead the clock of the sender is. */
  clockSeconds?: number;
  lifeSeconds?: number;
  header?: Record<string, unknown>;
  /** Secret of an HMAC, instead of a signature. */
  secret?: string;
  /** Sends header and claims with an empty signature. */
  isUnsigned?: true;
}

export interface Answer {
  status: number;
  text: string;
}

/** Sends a token request. Without a change, the client builds the assertion as it does by default. */
export type KeyClient = (sender: Sender, change?: Change) => Promise<Answer>;

/** All claims of an assertion, for clients that take them as they are. */
function claimsOf({ url, clientId }: Sender, change: Change = {}): JWTPayload {
  const iat = Math.floor(Date.now() / 1000) + (change.clockSeconds ?? 0);
  const { sub = clientId, aud = url, jti = randomUUID(), lifeSeconds = 60 } = change;
  return { iss: clientId, sub, aud, jti, iat, exp: iat + lifeSeconds };
}

const insecure = { [oauth.allowInsecureRequests]: true };
const KEY = 'ES256';

async function cryptoKey({ key }: Sender, change: Change | undefined): Promise<CryptoKey> {
  return await importPKCS8((change?.key ?? key).pem, KEY);
}

/** Puts the change into an assertion that a client has built. */
function modify(sender: Sender, change: Change | undefined): oauth.ModifyAssertionFunction {
  return (header, claims) => {
    if (change === undefined) return;
    Object.assign(header, change.header);
    Object.assign(claims, claimsOf(sender, change));
  };
}

const throughOpenidClient: KeyClient = async (sender, change) => {
  const options = { [openid.modifyAssertion]: modify(sender, change) };
  const authentication =
    change?.secret === undefined
      ? openid.PrivateKeyJwt(await cryptoKey(sender, change), options)
      : openid.ClientSecretJwt(change.secret, options);
  const config = await openid.discovery(new URL(sender.url), sender.clientId, undefined, authentication, {
    algorithm: 'oauth2',
    execute: [openid.allowInsecureRequests],
  });
  return await recorded(async (fetch) => {
    config[openid.customFetch] = fetch as openid.CustomFetch;
    return await openid.clientCredentialsGrant(config);
  });
};

const throughOauth4webapi: KeyClient = async (sender, change) => {
  const issuer = new URL(sender.url);
  const discovery = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure });
  const as = await oauth.processDiscoveryResponse(issuer, discovery);
  const client = { client_id: sender.clientId };
  const options = { [oauth.modifyAssertion]: modify(sender, change) };
  const authentication =
    change?.secret === undefined
      ? oauth.PrivateKeyJwt(await cryptoKey(sender, change), options)
      : oauth.ClientSecretJwt(change.secret, options);
  return await recorded(async (fetch) => {
    const request = { ...insecure, [oauth.customFetch]: fetch };
    const response = await oauth.clientCredentialsGrantRequest(as, client, authentication, {}, request);
    return await oauth.processClientCredentialsResponse(as, client, response);
  });
};

const throughMcpSdk: KeyClient = async (sender, change) => {
  const { url, clientId, key } = sender;
  const provider = new PrivateKeyJwtProvider({
    clientId,
    privateKey: key.pem,
    algorithm: KEY,
    expectedIssuer: url,
  });
  if (change !== undefined) {
    const { sub = clientId, aud, lifeSeconds = 60, clockSeconds = 0, secret } = change;
    provider.addClientAuthentication = createPrivateKeyJwtAuth({
      issuer: clientId,
      subject: sub,
      privateKey: secret === undefined ? (change.key ?? key).pem : Buffer.from(secret),
      alg: secret === undefined ? KEY : 'HS256',
      ...(typeof aud === 'string' && { audience: aud }),
      lifetimeSeconds: lifeSeconds + clockSeconds,
      claims: { nbf: Math.floor(Date.now() / 1000) + clockSeconds },
    });
  }
  const metadata = await discoverAuthorizationServerMetadata(url);
  if (metadata === undefined) throw new Error('The MCP SDK finds no metadata.');
  return await recorded(async (fetchFn) => await fetchToken(provider, url, { metadata, fetchFn }));
};

const throughOurSdk: KeyClient = async ({ url, clientId, key }, change) => {
  const { aud, clockSeconds = 0 } = change ?? {};
  const clientAuthentication = privateKey({
    key: (change?.key ?? key).pem,
    ...(typeof aud === 'string' && { audience: aud }),
  });
  return await recorded(async (fetch) => {
    const clock = {
      now: () => Date.now() + clockSeconds * 1000,
      after: (ms: number, act: () => void) => {
        const timer = setTimeout(act, ms);
        return () => clearTimeout(timer);
      },
    };
    const configuration = new Configuration({
      host: url,
      clientId,
      clientAuthentication,
      fetch,
      clock,
      retry: false,
    });
    return await new AuthenticationApi(configuration).oAuth2TokenPost();
  });
};

/**
 * Sends a request for each line, and prints the answer. The claims are those that docs/secretless.md sets, or
 * all. One process for all requests, because authlib takes seconds to load.
 */
const AUTHLIB = `
import json, sys, time
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT

answers = []

def keep(response):
    answers.append({'status': response.status_code, 'text': response.text})
    return response

for line in sys.stdin:
    sender = json.loads(line)
    url = sender['url'] + '/oauth2/token'
    claims = sender['claims'] or {'aud': sender['url'], 'exp': int(time.time()) + 60}
    method = PrivateKeyJWT(url, claims, alg='ES256')
    session = OAuth2Session(sender['client_id'], sender['key'], token_endpoint_auth_method=method)
    session.register_compliance_hook('access_token_response', keep)
    try:
        session.fetch_token(url, grant_type='client_credentials')
    except Exception as error:
        answers.append({'status': 0, 'text': str(error)})
    print(json.dumps(answers.pop(0)), flush=True)
    answers.clear()
`;

let python: { send(input: object): Promise<string>; end(): void } | undefined;

function startPython(): NonNullable<typeof python> {
  const env = { ...process.env, AUTHLIB_INSECURE_TRANSPORT: 'true' };
  const child = spawn(authlibPython() ?? '', ['-c', AUTHLIB], { env, stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout });
  return {
    async send(input) {
      child.stdin.write(`${JSON.stringify(input)}\n`);
      const [line] = (await once(lines, 'line')) as [string];
      return line;
    },
    end: () => child.stdin.end(),
  };
}

/** Ends what the clients started. */
export function endClients(): void {
  python?.end();
}

const throughAuthlib: KeyClient = async (sender, change) => {
  const { url, clientId, key } = sender;
  const claims = change === undefined ? null : claimsOf(sender, change);
  python ??= startPython();
  const answer = await python.send({ url, client_id: clientId, key: (change?.key ?? key).pem, claims });
  return JSON.parse(answer) as Answer;
};

/** Signs with the command line `jose`, and sends with curl. */
const throughJoseAndCurl: KeyClient = async (sender, change) => {
  const file = (name: string, json: object): string => {
    const path = join(sender.folder, name);
    writeFileSync(path, JSON.stringify(json));
    return path;
  };
  const { secret } = change ?? {};
  const jwk =
    secret === undefined
      ? { ...(change?.key ?? sender.key).jwk, alg: KEY }
      : { kty: 'oct', alg: 'HS256', k: Buffer.from(secret).toString('base64url') };
  const header = { alg: jwk.alg, ...change?.header };
  const claims = file('claims.json', claimsOf(sender, change));
  const options = ['-c', '-I', claims, '-k', file('key.jwk', jwk)];
  const template = JSON.stringify({ protected: header });
  const { stdout } = await promisify(execFile)('jose', ['jws', 'sig', ...options, '-s', template]);
  return await curlToken(sender.url, { client_assertion: stdout.trim() });
};

async function curlToken(url: string, parameters: Record<string, string>): Promise<Answer> {
  const form = { client_assertion_type: ASSERTION_TYPE, ...parameters };
  const { stdout } = await promisify(execFile)('curl', [
    '--silent',
    '--write-out',
    '\n%{http_code}',
    ...Object.entries(form).flatMap(([name, value]) => ['--data-urlencode', `${name}=${value}`]),
    `${url}/oauth2/token`,
  ]);
  const [text = '', status] = stdout.split('\n');
  return { status: Number(status), text };
}

/** Sends what no other client lets one send, with a `client_id` beside it. */
const byHand: KeyClient = async (sender, change = {}) => {
  const assertion = await assertionByHand(sender, change);
  return await curlToken(sender.url, { client_id: sender.clientId, client_assertion: assertion });
};

async function assertionByHand(sender: Sender, change: Change): Promise<string> {
  const claims = claimsOf(sender, change);
  const { secret, header } = change;
  if (change.isUnsigned === true) {
    const parts = [{ alg: 'none', ...header }, claims];
    return `${parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')}.`;
  }
  const alg = secret === undefined ? KEY : 'HS256';
  const key = secret === undefined ? await cryptoKey(sender, change) : Buffer.from(secret);
  const jwt = new SignJWT(claims).setProtectedHeader({ alg, ...header });
  // jose signs an extension in `crit` only if it is named here.
  return await jwt.sign(key, { crit: { 'urn:example:unknown': true } });
}

export type KeyClientName =
  | 'openid-client'
  | 'oauth4webapi'
  | 'the MCP SDK'
  | 'our SDK'
  | 'authlib'
  | 'jose and curl'
  | 'a client by hand';

export const KEY_CLIENTS: Readonly<Record<KeyClientName, KeyClient>> = {
  'openid-client': throughOpenidClient,
  oauth4webapi: throughOauth4webapi,
  'the MCP SDK': throughMcpSdk,
  'our SDK': throughOurSdk,
  authlib: throughAuthlib,
  'jose and curl': throughJoseAndCurl,
  'a client by hand': byHand,
};

/**
 * Runs a client with a `fetch` that keeps the answer of the token endpoint as it is. An error of the client
 * counts if there is none, or if it is a token that the client does not understand.
 */
async function recorded(run: (fetch: typeof globalThis.fetch) => Promise<unknown>): Promise<Answer> {
  const answers: Answer[] = [];
  const recording: typeof globalThis.fetch = async (...request) => {
    const response = await fetch(...request);
    if (response.url.endsWith('/oauth2/token'))
      answers.push({ status: response.status, text: await response.clone().text() });
    return response;
  };
  try {
    await run(recording);
  } catch (error) {
    if (answers[0] === undefined || answers[0].status === 200) throw error;
  }
  const [answer, ...others] = answers;
  if (answer === undefined || others.length > 0) throw new Error(`There are ${answers.length} answers.`);
  return answer;
}
