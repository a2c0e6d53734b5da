import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import type { Jwk } from '../../src/jwk.ts';

/** A client of the reference server. */
export interface ReferenceClient {
  id: string;
  secret: string | null;
  jwk: Jwk | null;
}

/** The state of one reference server. */
export interface World {
  issuer: string;
  /** Whether the server breaks this rule, named by the id of its check, or by the id and a variant. */
  breaks(rule: string): boolean;
  clients: readonly ReferenceClient[];
  /** `jti` of revoked tokens. */
  revoked: Set<string>;
  usedAssertions: Set<string>;
}

export interface Request {
  method: string;
  url: URL;
  headers: Readonly<Record<string, string | undefined>>;
  body: string;
}

export interface Answer {
  status: number;
  headers?: Record<string, string>;
  body: unknown;
}

interface Pair {
  privateKey: KeyObject;
  jwk: Jwk;
}

function ecPair(kid: string, use: string): Pair {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { privateKey, jwk: { ...publicKey.export({ format: 'jwk' }), kid, use } };
}

function rsaJwk(kid: string, modulusLength: number): Jwk {
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength });
  return { ...publicKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'RS256' };
}

/** Made once: the keys of a server break no rule by their values. */
export const SIGNING: Pair = ecPair('signing', 'sig');
export const ENCRYPTION: Pair = ecPair('encryption', 'enc');
export const RSA: Jwk = rsaJwk('rsa', 2048);
export const SHORT_RSA: Jwk = rsaJwk('rsa', 1024);

export const TOKEN_SECONDS = 900;
export const seconds = (): number => Math.floor(Date.now() / 1000);

export function errorAnswer(status: number, error: string, headers: Record<string, string> = {}): Answer {
  return { status, headers: { 'Cache-Control': 'no-store', ...headers }, body: { error } };
}
