import { createHmac, createPublicKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** What good tokens are made of. The key is one for ES256. */
export interface Maker {
  kid: string;
  privateKey: KeyObject;
  issuer: string;
  /** Of a good token. Seconds since 1970: `iat` is `nowSeconds`. */
  claims: Record<string, unknown>;
  nowSeconds: number;
}

interface Described {
  name: string;
  header?: Members;
  claims?: Members;
  payload?: string;
  headerAfterSigning?: Members;
  claimsAfterSigning?: Members;
  signature?: string;
  token?: string;
}

type Members = Record<string, unknown>;

/** The malicious tokens of malicious-access-tokens.json, signed where they are, and the good one that they are made from. */
export function maliciousTokens(maker: Maker): {
  good: string;
  malicious: { name: string; token: string }[];
} {
  const file = new URL('malicious-access-tokens.json', import.meta.url);
  const { tokens } = JSON.parse(readFileSync(file, 'utf8')) as { tokens: Described[] };
  const good = tokenOf({ name: 'good' }, maker);
  return { good, malicious: tokens.map((one) => ({ name: one.name, token: tokenOf(one, maker, good) })) };
}

function tokenOf(described: Described, maker: Maker, good = ''): string {
  const publicKey = createPublicKey(maker.privateKey);
  const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const last = good.slice(-1);
  const values: Members = {
    alg: 'ES256',
    kid: maker.kid,
    iss: maker.issuer,
    jwk: publicKey.export({ format: 'jwk' }),
    'stranger-jwk': stranger.publicKey.export({ format: 'jwk' }),
    'hour-ago': maker.nowSeconds - 3600,
    'in-an-hour': maker.nowSeconds + 3600,
    token: good,
    'token-with-full-width-stop': good.replace('.', '\uff0e'),
    // The last of 86 characters holds two bits of the signature, and four that say nothing.
    'token-with-stray-bits': good.slice(0, -1) + (ALPHABET[ALPHABET.indexOf(last) ^ 1] ?? ''),
  };
  if (described.token !== undefined) return fill(described.token, values) as string;

  const header = {
    alg: 'ES256',
    typ: 'at+jwt',
    kid: maker.kid,
    ...(fill(described.header, values) as Members),
  };
  const claims = { ...maker.claims, ...(fill(described.claims, values) as Members) };
  const payload = described.payload ?? json(claims);
  const signed = `${base64url(json(header))}.${base64url(payload)}`;
  const signature = signatureOf(
    described.signature ?? 'right',
    signed,
    maker.privateKey,
    stranger.privateKey,
  );
  const shownHeader = base64url(json({ ...header, ...described.headerAfterSigning }));
  const shownPayload = described.payload ?? json({ ...claims, ...described.claimsAfterSigning });
  return `${shownHeader}.${base64url(shownPayload)}.${signature.toString('base64url')}`;
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

function signatureOf(kind: string, signed: string, key: KeyObject, stranger: KeyObject): Buffer {
  const right = () => sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' });
  const publicKey = createPublicKey(key);
  const hmac = (secret: string | Buffer) => createHmac('sha256', secret).update(signed).digest();
  switch (kind) {
    case 'right':
      return right();
    case 'none':
      return Buffer.alloc(0);
    case 'zeros':
      return Buffer.alloc(64);
    case 'short':
      return right().subarray(0, 63);
    case 'long':
      return Buffer.concat([right(), Buffer.alloc(1)]);
    case 'der':
      return sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'der' });
    case 'stranger':
      return sign('sha256', Buffer.from(signed), { key: stranger, dsaEncoding: 'ieee-p1363' });
    case 'other-payload':
      return sign('sha256', Buffer.from(`${signed}x`), { key, dsaEncoding: 'ieee-p1363' });
    case 'hmac-pem':
      return hmac(publicKey.export({ type: 'spki', format: 'pem' }));
    case 'hmac-der':
      return hmac(publicKey.export({ type: 'spki', format: 'der' }));
    case 'hmac-jwk':
      return hmac(JSON.stringify(publicKey.export({ format: 'jwk' })));
    case 'hmac-empty':
      return hmac('');
    default:
      throw new Error(`There is no signature of the kind ${kind}.`);
  }
}

/** Puts values in for {{names}}, everywhere in what a vector says, and drops members that are null. */
function fill(from: unknown, values: Members): unknown {
  if (typeof from === 'string') {
    const [, whole] = /^\{\{([a-z-]+)\}\}$/.exec(from) ?? [];
    if (whole !== undefined) return values[whole] ?? from;
    return from.replaceAll(/\{\{([a-z-]+)\}\}/g, (_, name: string) => values[name] as string);
  }
  if (Array.isArray(from)) return from.map((item) => fill(item, values));
  if (typeof from !== 'object' || from === null) return from;
  return Object.fromEntries(
    Object.entries(from).map(([name, value]) => [name, value === null ? undefined : fill(value, values)]),
  );
}

/** JSON has no infinity, but this number becomes one when it is read. */
function json(value: unknown): string {
  return JSON.stringify(value).replace('"{{infinite}}"', '1e999');
}

function base64url(text: string): string {
  return Buffer.from(text).toString('base64url');
}
