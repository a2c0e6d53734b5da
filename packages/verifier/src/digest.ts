/** The members of `node:crypto` that this file uses. */
interface NodeCrypto {
  hash?(algorithm: string, data: string, encoding: 'base64url'): string;
  hash?(algorithm: string, data: string, encoding: 'buffer'): Uint8Array;
}

// No import, because some runtimes lack the module. In Node, `hash` costs a tenth of WebCrypto's digest,
// which runs on another thread.
const nodeCrypto = globalThis.process?.getBuiltinModule?.('node:crypto') as NodeCrypto | undefined;
const hash = typeof nodeCrypto?.hash === 'function' ? nodeCrypto.hash : undefined;
const encoder = new TextEncoder();

/** The SHA-256 of a text; a promise in runtimes without a synchronous digest. */
export function sha256(text: string): Uint8Array | Promise<Uint8Array> {
  return hash === undefined ? webSha256(text) : hash('sha256', text, 'buffer');
}

/** The SHA-256 as text: the token's key in the cache, which therefore holds no token. */
export function sha256Text(text: string): string | Promise<string> {
  if (hash !== undefined) return hash('sha256', text, 'base64url');
  return webSha256(text).then((digest) => String.fromCharCode(...digest));
}

async function webSha256(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', encoder.encode(text)));
}

/** Applies `make` to a value or to a promise's result. */
export function whenReady<T, R>(value: T | Promise<T>, make: (value: T) => R): R | Promise<R> {
  return value instanceof Promise ? value.then(make) : make(value);
}
