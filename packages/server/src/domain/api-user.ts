import { characterProblem } from './characters.ts';
import { claimsFaults, NO_CLAIMS, type Claims } from './claims.ts';
import { randomId } from '../lib/random.ts';
import type { Fault } from './fault.ts';
import { networkProblem } from './network.ts';
import { resourceProblem, scopeProblem } from './grant.ts';

/** A machine that calls the platform's APIs, as it is stored. Times are milliseconds since 1970 (UTC). */
export interface ApiUser {
  /** `api_` and 20 characters, or an imported id. Never changes. */
  clientId: string;
  name: string;
  /**
   * Callers may send it as `client_id`. In any letter case, it differs from the client ids and usernames of
   * all other API users.
   */
  username: string | null;
  /** Its id in another system. It is unique, so a repeated import creates the API user only once. */
  externalId: string | null;
  /** The people behind it: an e-mail address or a team. */
  contact: string | null;
  enabled: boolean;
  /** The scopes that it may get. A request without `scope` gets them all. */
  scopes: readonly string[];
  /**
   * The audiences that it may request (RFC 8707); the first is its default. Empty: the server's default
   * audience.
   */
  audiences: readonly string[];
  /** Calls of the token endpoint per minute; null: the server's default. */
  limitPerMinute: number | null;
  /** Networks from which it may request tokens. Empty: every network. */
  allowedNetworks: readonly string[];
  /** The organisation that it belongs to; null: the platform. Only a move changes it. */
  organisationId: string | null;
  /** Claims of its tokens, beside those of its audience and organisation. */
  claims: Claims;
  /** Life of its access tokens; null: that of the organisation, audience or server. At most the server's. */
  tokenLifeSeconds: number | null;
  createdAt: number;
  updatedAt: number;
  /** Starts at 1 and grows by one with each change of a setting. */
  version: number;
}

/** The part of an API user that people choose. */
export type ApiUserSettings = Pick<
  ApiUser,
  | 'name'
  | 'username'
  | 'externalId'
  | 'contact'
  | 'scopes'
  | 'audiences'
  | 'limitPerMinute'
  | 'allowedNetworks'
  | 'claims'
  | 'tokenLifeSeconds'
>;

/** An API user to create. */
export interface NewApiUser extends ApiUserSettings {
  /** Left out: that of the member who creates it, otherwise the platform. */
  organisationId?: string | null;
}

/** The settings that a request or command to create an API user leaves out. */
export const UNSET_SETTINGS: Omit<ApiUserSettings, 'name'> = {
  username: null,
  externalId: null,
  contact: null,
  scopes: [],
  audiences: [],
  limitPerMinute: null,
  allowedNetworks: [],
  claims: NO_CLAIMS,
  tokenLifeSeconds: null,
};

export const CLIENT_ID_PREFIX = 'api_';
const TEXT_LENGTH_MAX = 200;
const USERNAME_LENGTH_MAX = 254; // the longest e-mail address (RFC 5321)
const LIST_LENGTH_MAX = 50;
const SCOPE_TEXT_LENGTH_MAX = 1000;
export const LIMIT_MAX = 1_000_000;

export function newClientId(): string {
  return CLIENT_ID_PREFIX + randomId(20);
}

/**
 * The form in which usernames are compared: NFC and lower case, so that letter case and input method do not
 * matter.
 */
export function usernameKey(username: string): string {
  return username.normalize('NFC').toLowerCase();
}

/** All faults of the settings; empty if there are none. */
export function apiUserFaults(settings: ApiUserSettings): Fault[] {
  const problems: [member: string, problem: string | null][] = [
    ['name', textProblem('name', settings.name)],
    ['contact', settings.contact === null ? null : textProblem('contact', settings.contact)],
    ['username', settings.username === null ? null : usernameProblem(settings.username)],
    ['external_id', settings.externalId === null ? null : externalIdProblem(settings.externalId)],
    ['scopes', scopesProblem(settings.scopes)],
    ['audiences', listProblem('audiences', settings.audiences, resourceProblem)],
    ['allowed_networks', listProblem('allowed networks', settings.allowedNetworks, networkProblem)],
    ['limit_per_minute', settings.limitPerMinute === null ? null : limitProblem(settings.limitPerMinute)],
    ['token_life_seconds', tokenLifeProblem(settings.tokenLifeSeconds)],
  ];
  const faults = problems.flatMap(([member, problem]) => (problem === null ? [] : [{ member, problem }]));
  return [...faults, ...claimsFaults(settings.claims)];
}

/** The bounds of the server's own token life (config/settings), in seconds. */
const TOKEN_LIFE_MIN = 10;
const TOKEN_LIFE_MAX = 86_400;

/** A life that is longer than the server's is allowed, and has the effect of the server's. */
export function tokenLifeProblem(seconds: number | null): string | null {
  const fits =
    seconds === null || (Number.isInteger(seconds) && seconds >= TOKEN_LIFE_MIN && seconds <= TOKEN_LIFE_MAX);
  return fits
    ? null
    : `The token life ${seconds} is not a whole number of seconds from ${TOKEN_LIFE_MIN} to ${TOKEN_LIFE_MAX}.`;
}

export function scopesProblem(scopes: readonly string[]): string | null {
  return scopes.join(' ').length > SCOPE_TEXT_LENGTH_MAX
    ? `The scopes together are longer than ${SCOPE_TEXT_LENGTH_MAX} characters: tokens would not fit into headers.`
    : listProblem('scopes', scopes, scopeProblem);
}

export function textProblem(what: string, text: string): string | null {
  if (text.trim() === '') return `The ${what} is empty: give one.`;
  if (text.length > TEXT_LENGTH_MAX) return `The ${what} is longer than ${TEXT_LENGTH_MAX} characters.`;
  return characterProblem(what, text);
}

export function externalIdProblem(externalId: string): string | null {
  if (externalId !== externalId.trim())
    return `The external id "${externalId}" begins or ends with white space: remove it.`;
  return textProblem('external id', externalId);
}

function usernameProblem(username: string): string | null {
  if (username.length < 3 || username.length > USERNAME_LENGTH_MAX || /\s/.test(username)) {
    return `The username "${username}" must have 3 to ${USERNAME_LENGTH_MAX} characters and no white space.`;
  }
  if (username.toLowerCase().startsWith(CLIENT_ID_PREFIX)) {
    return `The username "${username}" begins with ${CLIENT_ID_PREFIX}, which generated ids do: choose another.`;
  }
  return characterProblem('username', username);
}

export function listProblem(
  what: string,
  list: readonly string[],
  problemOf: (item: string) => string | null,
): string | null {
  if (list.length > LIST_LENGTH_MAX) return `There are more than ${LIST_LENGTH_MAX} ${what}.`;
  if (new Set(list).size < list.length) return `One of the ${what} is given twice.`;
  for (const item of list) {
    const problem = problemOf(item);
    if (problem !== null) return `The ${what} are wrong: ${problem}.`;
  }
  return null;
}

export function limitProblem(limit: number): string | null {
  const fits = Number.isInteger(limit) && limit >= 1 && limit <= LIMIT_MAX;
  return fits ? null : `The limit ${limit} is not a whole number of calls a minute from 1 to ${LIMIT_MAX}.`;
}
