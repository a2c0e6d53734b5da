import type { Signer } from './jwt.ts';

/** A client of the server under test, with its secret. */
export interface Client {
  id: string;
  secret: string;
}

/** A client that proves itself by a key of its own (RFC 7523). */
export interface KeyClient {
  id: string;
  signer: Signer;
}

export type AuthenticationMethod = 'basic' | 'form';

export type Form = Readonly<Record<string, string>>;

export const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

export function formEncoded(form: Form): string {
  return new URLSearchParams(form).toString();
}

/** HTTP Basic with both parts form-encoded (RFC 6749 §2.3.1). */
export function basicHeader({ id, secret }: Client): string {
  const part = (text: string) => formEncoded({ text }).slice('text='.length);
  return `Basic ${Buffer.from(`${part(id)}:${part(secret)}`).toString('base64')}`;
}

/** The same credentials with every byte percent-encoded, which form-decoding undoes. */
export function escapedBasicHeader({ id, secret }: Client): string {
  const part = (text: string) =>
    Array.from(Buffer.from(text), (byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
  return `Basic ${Buffer.from(`${part(id)}:${part(secret)}`).toString('base64')}`;
}

/** The parameters of form credentials. */
export function formCredentials({ id, secret }: Client): Form {
  return { client_id: id, client_secret: secret };
}
