// Test setup: jose, authlib.
import assert from 'node:assert/strict';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { userWith } from '@mintmark/test-support/assertions';
import { authlibMissing, joseMissing } from '@mintmark/test-support/debian-programs';
import { eventually } from '@mintmark/test-support/eventually';
import { startServer, type TestServer } from '@mintmark/test-support/server';
import { temporaryStore, type TemporaryStore } from '@mintmark/test-support/temporary-store';
import type { PublicJwk } from '../../src/domain/trust-rule.ts';
import {
  endClients,
  KEY_CLIENTS,
  type Answer,
  type Change,
  type KeyClientName,
  type KeyPair,
  type Sender,
} from './key-clients.ts';

// Real clients, none of them ours but one, get a token with a key, and the one refusal with each fault.

let opened: TemporaryStore;
let server: TestServer;
let sender: Sender;
let otherClientId: string;
const stranger = newKeyPair();
const folder = mkdtempSync(join(tmpdir(), 'mintmark-clients-'));

before(async () => {
  opened = await temporaryStore();
  const key = newKeyPair();
  const clientId = await userWith(opened.store, { jwk: key.publicJwk as PublicJwk });
  otherClientId = await userWith(opened.store, { jwk: newKeyPair().publicJwk as PublicJwk });
  server = await startServer({
    dataDir: opened.dataDir,
    env: { MINTMARK_FAILURE_LIMIT: '1000000', MINTMARK_ADDRESS_LIMIT: '1000000' },
  });
  sender = { url: server.url, clientId, key, folder };
});
after(async () => {
  endClients();
  await server[Symbol.asyncDispose]();
  await opened[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

function newKeyPair(): KeyPair {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    pem: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    publicPem: publicKey.export({ type: 'spki', format: 'pem' }),
    jwk: privateKey.export({ format: 'jwk' }),
    publicJwk: publicKey.export({ format: 'jwk' }),
  };
}

interface Fault {
  /** The reason in the log. */
  reason: string;
  change(): Change;
  /** The client id that the client is set up with. Left out: its own. */
  clientId?(): string;
}

type FaultName =
  | 'a wrong key'
  | 'a wrong audience'
  | 'several audiences'
  | 'the client id of another API user'
  | 'an assertion that expired'
  | 'an assertion from the future'
  | 'too long a life'
  | 'a public key as HMAC secret'
  | 'alg none'
  | 'an unknown crit'
  | 'an embedded key'
  | 'the subject of another API user';

const FAULTS: Readonly<Record<FaultName, Fault>> = {
  'a wrong key': { reason: 'wrong_signature', change: () => ({ key: stranger }) },
  'a wrong audience': { reason: 'assertion_audience', change: () => ({ aud: 'https://elsewhere.example' }) },
  'several audiences': {
    reason: 'assertion_audience',
    change: () => ({ aud: [sender.url, 'https://elsewhere.example'] }),
  },
  'the client id of another API user': {
    reason: 'wrong_signature',
    change: () => ({}),
    clientId: () => otherClientId,
  },
  'an assertion that expired': { reason: 'expired_assertion', change: () => ({ clockSeconds: -180 }) },
  'an assertion from the future': { reason: 'early_assertion', change: () => ({ clockSeconds: 120 }) },
  'too long a life': { reason: 'assertion_life', change: () => ({ lifeSeconds: 3600 }) },
  'a public key as HMAC secret': {
    reason: 'assertion_algorithm',
    change: () => ({ secret: sender.key.publicPem }),
  },
  'alg none': {
    reason: 'assertion_algorithm',
    change: () => ({ header: { alg: 'none' }, isUnsigned: true }),
  },
  'an unknown crit': {
    reason: 'malformed_assertion',
    change: () => ({ header: { crit: ['urn:example:unknown'], 'urn:example:unknown': true } }),
  },
  'an embedded key': {
    reason: 'wrong_signature',
    change: () => ({ key: stranger, header: { jwk: stranger.publicJwk } }),
  },
  'the subject of another API user': {
    reason: 'assertion_subject',
    change: () => ({ sub: otherClientId }),
  },
};

const FAULT_NAMES = Object.keys(FAULTS) as FaultName[];
const OWN_CLAIMS = FAULT_NAMES.slice(0, 7);

/** The faults that a client lets one send, beside a used `jti`. */
const LETS: Record<KeyClientName, readonly FaultName[]> = {
  'openid-client': FAULT_NAMES,
  oauth4webapi: FAULT_NAMES,
  'the MCP SDK': [
    'a wrong key',
    'a wrong audience',
    'the client id of another API user',
    'an assertion that expired',
    'an assertion from the future',
    'too long a life',
    'a public key as HMAC secret',
  ],
  'our SDK': [
    'a wrong key',
    'a wrong audience',
    'the client id of another API user',
    'an assertion that expired',
    'an assertion from the future',
  ],
  authlib: OWN_CLAIMS,
  'jose and curl': [...OWN_CLAIMS, 'a public key as HMAC secret', 'an embedded key'],
  'a client by hand': FAULT_NAMES,
};
/** These choose a new `jti` for each assertion. */
const OWN_IDS = new Set<KeyClientName>(['the MCP SDK', 'our SDK']);
const MISSING: Partial<Record<KeyClientName, string | false>> = {
  authlib: authlibMissing(),
  'jose and curl': joseMissing(),
};

for (const name of Object.keys(KEY_CLIENTS) as KeyClientName[]) {
  const client = KEY_CLIENTS[name];

  test(`${name} gets a token with a key`, { skip: MISSING[name] ?? false }, async () => {
    for (let i = 0; i < 2; i++) await assertToken(await client(sender));
  });

  test(`${name} gets the one refusal with any fault`, { skip: MISSING[name] ?? false }, async () => {
    const reasons = new Map<string, string>();
    const refused = (answer: Answer, fault: string, reason: string): void => {
      const { error, trace_id: traceId = '' } = JSON.parse(answer.text) as Record<string, string>;
      assert.deepEqual([answer.status, error], [403, 'invalid_client'], `${fault}: ${answer.text}`);
      assert.equal(answer.text.replace(traceId, ''), body, fault);
      reasons.set(traceId, `${fault}: ${reason}`);
    };
    const body = await wrongSecret();
    for (const fault of LETS[name]) {
      const { reason, change, clientId = () => sender.clientId } = FAULTS[fault];
      refused(await client({ ...sender, clientId: clientId() }, change()), fault, reason);
    }
    if (!OWN_IDS.has(name)) {
      const jti = randomUUID();
      await assertToken(await client(sender, { jti }));
      refused(await client(sender, { jti }), 'a used id', 'assertion_reused');
    }
    assert.equal(reasons.size, LETS[name].length + (OWN_IDS.has(name) ? 0 : 1));
    await eventually(() => {
      for (const [traceId, reason] of reasons) {
        const line = server
          .output()
          .split('\n')
          .find((text) => text.includes(traceId));
        const logged = (JSON.parse(line ?? '{}') as { reason?: string }).reason;
        assert.equal(`${reason.split(': ')[0]}: ${logged}`, reason);
      }
    });
  });
}

/** The body that a wrong secret gets, without its trace id. */
async function wrongSecret(): Promise<string> {
  const { text, body } = await server.post({ client_id: sender.clientId, client_secret: 'wrong' });
  return text.replace(body['trace_id'] as string, '');
}

async function assertToken({ status, text }: Answer): Promise<void> {
  assert.equal(status, 200, text);
  const { access_token: token = '' } = JSON.parse(text) as { access_token?: string };
  server.noteSecret(token);
  const keys = createRemoteJWKSet(new URL(`${server.url}/.well-known/jwks.json`));
  const { payload } = await jwtVerify(token, keys, { issuer: server.url, typ: 'at+jwt' });
  assert.equal(payload.sub, sender.clientId);
}
