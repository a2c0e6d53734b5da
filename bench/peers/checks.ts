// Each server must do the whole work: a fresh token each time, which verifies, and none for a wrong secret.
import assert from 'node:assert/strict';
import { createLocalJWKSet, jwtVerify, type JSONWebKeySet } from 'jose';
import { clientIdAt, secretAt } from '../population.ts';
import { SCOPE, TOKEN_SECONDS } from './form-server.ts';
import type { RunningServer } from './servers.ts';

const TOKENS = 50;

/** The body of a token request. */
export function bodyOf(clientId: string, secret: string): string {
  return `grant_type=client_credentials&client_id=${clientId}&client_secret=${secret}&scope=${SCOPE}`;
}

export function bodyAt(index: number): string {
  return bodyOf(clientIdAt(index), secretAt(index));
}

/** Throws if the server does not do the same work as the others. */
export async function checkWork(
  { name, tokenUrl, keySetUrl }: RunningServer,
  apiUsers: number,
): Promise<void> {
  const keys = createLocalJWKSet((await (await fetch(keySetUrl)).json()) as JSONWebKeySet);
  const tokenIds = new Set<unknown>();
  for (let i = 0; i < TOKENS; i++) {
    const index = Math.floor(Math.random() * apiUsers);
    const { status, token } = await request(tokenUrl, bodyAt(index));
    assert.equal(status, 200, `${name}: no token`);
    const { payload } = await jwtVerify(token ?? '', keys, { algorithms: ['ES256'] });
    const { client_id: clientId, sub, scope, exp = 0, iat = 0, jti } = payload;
    assert.deepEqual([clientId, sub, scope], [clientIdAt(index), clientIdAt(index), SCOPE], name);
    assert.ok(payload.iss !== undefined && payload.aud !== undefined, `${name}: no issuer or audience`);
    // Both are whole seconds, which servers round differently.
    assert.ok(Math.abs(exp - iat - TOKEN_SECONDS) <= 1, `${name}: a life of ${exp - iat} s`);
    tokenIds.add(jti);
  }
  assert.equal(tokenIds.size, TOKENS, `${name}: the same token twice`);
  for (const [clientId, secret] of [
    [clientIdAt(0), `${secretAt(0).slice(0, -1)}_`],
    [clientIdAt(0), secretAt(1)],
    [clientIdAt(apiUsers), secretAt(apiUsers)], // the first that is not registered
  ] as const) {
    const { status, token } = await request(tokenUrl, bodyOf(clientId, secret));
    assert.ok(status >= 400 && status < 500 && token === undefined, `${name} gave a token: ${status}`);
  }
}

async function request(url: string, body: string): Promise<{ status: number; token?: string }> {
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  const response = await fetch(url, { method: 'POST', headers, body });
  const { access_token: token } = JSON.parse((await response.text()) || '{}') as { access_token?: string };
  return token === undefined ? { status: response.status } : { status: response.status, token };
}
