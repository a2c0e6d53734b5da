/** The part of `node:crypto` that is used here. */
interface NodeCrypto {
  hash?(algorithm: string, data: string, encoding: 'base64url'): string;
  hash?(algorithm: string, data: string, encoding: 'buffer'): Uint8Array;
}

// Without an import, which runtimes without it could not load. Of what Node and its like have, `hash` costs a tenth of
// WebCrypto's digest, which is made on another thread.
const nodeCrypto = globalThis.process?.getBuiltinModule?.('node:crypto') as NodeCrypto | undefined;
const hash = typeof nodeCrypto?.hash === 'function' ? nodeCrypto.hash : undefined;
const encoder = new TextEncoder();

/** The SHA-256 of a text: at once where the runtime can, else as a promise. */
export function sha256(text: string): Uint8Array | Promise<Uint8Array> {
  return hash === undefined ? webSha256(text) : hash('sha256', text, 'buffer');
}

/** The same as a text: the key of a token in the cache, so that the token itself is not kept. */
export function sha256Text(text: string): string | Promise<string> {
  if (hash !== undefined) return hash('sha256', text, 'base64url');
  return webSha256(text).then((digest) => String.fromCharCode(...digest));
}

async function webSha256(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', encoder.encode(text)));
}

/** Makes a value of another one, which may be a promise: at once when it is none. */
export function whenReady<T, R>(value: T | Promise<T>, make: (value: T) => R): R | Promise<R> {
  return value instanceof Promise ? value.then(make) : make(value);
}
