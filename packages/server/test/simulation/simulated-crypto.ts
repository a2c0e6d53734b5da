import crypto, { type KeyObject } from 'node:crypto';

// Real keys, and signatures that cost a fiftieth. No check of a run depends on who could forge one: a signature
// fits exactly one key and one text, as a real one does.

/** PKCS #8 before the 32 bytes of an Ed25519 private key (RFC 8410 §7). */
const ED25519_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex');
const KEYS_MAX = 200;

const real = {
  createPrivateKey: crypto.createPrivateKey,
  sign: crypto.sign,
  verify: crypto.verify,
};
/** Processes read the same keys at each reload. */
const privateKeys = new Map<string, KeyObject>();
/** The public part of each key that signed or verified. */
const publicParts = new WeakMap<KeyObject, string>();

export function keyPairOf(seed: Buffer): { privateKey: KeyObject; publicKey: KeyObject } {
  const privateKey = rememberedKey({
    key: Buffer.concat([ED25519_HEAD, seed]),
    format: 'der',
    type: 'pkcs8',
  }) as KeyObject;
  return { privateKey, publicKey: crypto.createPublicKey(privateKey) };
}

export function rememberedKey(input: unknown): unknown {
  const { key: der, format } = input as { key?: unknown; format?: unknown };
  if (!Buffer.isBuffer(der) || format !== 'der') return real.createPrivateKey(input as Buffer);
  const text = der.toString('latin1');
  let key = privateKeys.get(text);
  if (key === undefined) {
    if (privateKeys.size >= KEYS_MAX) privateKeys.clear();
    key = real.createPrivateKey(input as Buffer);
    privateKeys.set(text, key);
  }
  return key;
}

export function simulatedSign(algorithm: unknown, text: Buffer, key: KeyObject): Buffer {
  if (algorithm !== null) return real.sign(algorithm as string, text, key);
  return crypto.hash('sha512', Buffer.concat([Buffer.from(publicPart(key)), text]), 'buffer');
}

export function simulatedVerify(
  algorithm: unknown,
  text: Buffer,
  key: KeyObject,
  signature: Buffer,
): boolean {
  if (algorithm !== null) return real.verify(algorithm as string, text, key, signature);
  return simulatedSign(null, text, key).equals(signature);
}

function publicPart(key: KeyObject): string {
  let part = publicParts.get(key);
  if (part === undefined) {
    part = key.export({ format: 'jwk' }).x ?? '';
    publicParts.set(key, part);
  }
  return part;
}
