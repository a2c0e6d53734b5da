import { randomBase62 } from '../lib/random.ts';
import type { Actor } from './actor.ts';
import { linkTokenDigest, newLinkToken } from './link-token.ts';

/**
 * A one-time link that makes a secret for an API user when it is opened, and shows it. Times are milliseconds
 * since 1970 (UTC).
 */
export interface SecretLink {
  digest: string;
  /** For lists and the audit log. It opens nothing. */
  id: string;
  clientId: string;
  request: SecretRequest;
  /** argon2id, as a PHC string; null: the link alone opens it. */
  passphraseHash: string | null;
  /** Attempts with a wrong passphrase, and those under way. */
  wrongPassphrases: number;
  createdBy: LinkAuthor;
  createdAt: number;
  expiresAt: number;
}

/** The secret that the link makes. */
export interface SecretRequest {
  name: string;
  expiresAt: number | null;
  /** Null: the live credentials stay as they are. */
  reset: SecretReset | null;
}

export interface SecretReset {
  /** How long the live credentials still work after the link was opened; null: until they are quiet. */
  overlapMs: number | null;
  /** Also ends a live password. */
  endPassword: boolean;
}

export type LinkAuthor = Pick<Actor, 'kind' | 'id' | 'name'>;

export const SECRET_LINK_PREFIX = 'mml_';
const ID_LENGTH = 10;

/** The most links of one API user that wait to be opened. */
export const SECRET_LINKS_MAX = 10;
/** After this many wrong passphrases, the link opens nothing. */
export const WRONG_PASSPHRASES_MAX = 5;
export const LINK_SECONDS_MIN = 60;
/** Seven days. */
export const LINK_SECONDS_MAX = 604_800;
/** One day. */
export const LINK_SECONDS_DEFAULT = 86_400;
export const PASSPHRASE_LENGTH_MIN = 8;
export const PASSPHRASE_LENGTH_MAX = 128;

export interface CreatedSecretLink {
  link: SecretLink;
  /** The token in the URL. Shown once; only its digest is stored. */
  token: string;
}

export function newSecretLink(
  facts: Omit<SecretLink, 'digest' | 'id' | 'wrongPassphrases'>,
): CreatedSecretLink {
  const { token, digest } = newLinkToken(SECRET_LINK_PREFIX);
  const id = randomBase62(ID_LENGTH);
  return { token, link: { ...facts, digest, id, wrongPassphrases: 0 } };
}

/** The stored digest of a token; null if the text cannot be a token. */
export function secretLinkDigest(token: string): string | null {
  return linkTokenDigest(SECRET_LINK_PREFIX, token);
}

/** The token is in the fragment, which browsers never send to a server: no log on the way holds it. */
export function secretLinkUrl(issuer: string, token: string): string {
  return `${new URL(issuer).origin}/console/secret#${token}`;
}

/** Whether the link can still be opened. */
export function isOpenable({ expiresAt, wrongPassphrases }: SecretLink, nowMs: number): boolean {
  return nowMs < expiresAt && wrongPassphrases < WRONG_PASSPHRASES_MAX;
}

/** Why a passphrase may not be used; null if it may. The text never quotes it. */
export function passphraseProblem(passphrase: string): string | null {
  const { length } = passphrase;
  return length >= PASSPHRASE_LENGTH_MIN && length <= PASSPHRASE_LENGTH_MAX
    ? null
    : `A passphrase has ${PASSPHRASE_LENGTH_MIN} to ${PASSPHRASE_LENGTH_MAX} characters; this one has ${length}.`;
}

/** Why a link may not last this long; null if it may. */
export function linkLifeProblem(seconds: number): string | null {
  return seconds >= LINK_SECONDS_MIN && seconds <= LINK_SECONDS_MAX
    ? null
    : `A link lasts between one minute and seven days, not ${seconds} seconds.`;
}
