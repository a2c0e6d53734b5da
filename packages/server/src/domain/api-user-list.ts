import { confinedTo, type Actor } from './actor.ts';
import { usernameKey, type ApiUser } from './api-user.ts';

/**
 * `last_used_at` sorts by the last use as stored: exact to the minute, or older if very many API users are in
 * use (docs/decisions/050).
 */
export const API_USER_SORTS = ['created_at', 'name', 'last_used_at'] as const;
export type ApiUserSort = (typeof API_USER_SORTS)[number];

/** Selects the API users of a list. Null sets no condition. */
export interface ApiUserFilter {
  /** A part of the name, client id, username, external id or contact, in any letter case. */
  search: string | null;
  enabled: boolean | null;
  scope: string | null;
  /** The id of an organisation, or `OF_THE_PLATFORM`. */
  organisation: string | null;
}

/** In a filter: the API users that belong to no organisation. */
export const OF_THE_PLATFORM = 'none';

/**
 * Converts the parameters of the admin API and the command line to a filter. The filter of an actor who is
 * confined to an organisation selects only API users of that organisation.
 */
export function apiUserFilter(
  { search, state, scope, organisation_id: organisation }: ApiUserFilterParameters,
  actor: Actor,
): ApiUserFilter {
  const text = search?.trim() ?? '';
  return {
    search: text === '' ? null : text,
    enabled: state === undefined ? null : state === 'enabled',
    scope: scope ?? null,
    organisation: confinedTo(actor) ?? organisation ?? null,
  };
}

export interface ApiUserFilterParameters {
  search?: string;
  state?: (typeof API_USER_STATES)[number];
  scope?: string;
  organisation_id?: string;
}

export const API_USER_STATES = ['enabled', 'disabled'] as const;

/**
 * The position at which a page ended. `value` is the value that the list is sorted by; null for an API user
 * that was never used, in a list by last use. `clientId` orders API users with the same value. `first` are
 * the client ids that the first page put on top because the search is their name: later pages skip them.
 */
export type ApiUserPosition = readonly [
  value: string | number | null,
  clientId: string,
  ...first: readonly string[],
];

/** Most API users that a search can name exactly: one by its client id, another by its username. */
export const NAMED_MAX = 2;

export interface ApiUserListPage {
  sort: ApiUserSort;
  descending: boolean;
  /** Null: the page is the first. */
  after: ApiUserPosition | null;
  limit: number;
}

/**
 * A page of a list. It has fewer API users than requested if the store reached its bound of rows read for one
 * page. `next` is the position at which the next page continues.
 */
export interface ApiUserListed {
  items: ListedApiUser[];
  /** Null: this is the last page. */
  next: ApiUserPosition | null;
}

/** An API user in a list, with a summary of its credentials. */
export interface ListedApiUser {
  user: ApiUser;
  /** Null: it belongs to the platform. */
  organisationName: string | null;
  /** Null: never used. */
  lastUsedAt: number | null;
  liveCredentials: number;
  /** The earliest expiry time of its live credentials; null: none of them expires. */
  nextExpiryAt: number | null;
}

/** The form in which texts are searched and sorted: the same as for usernames. */
export const searchKey: (text: string) => string = usernameKey;

/** The texts of an API user that a search covers, one a line. None of them holds a line break. */
export function searchText({ name, clientId, username, externalId, contact }: ApiUser): string {
  return searchKey(
    [name, clientId, username, externalId, contact].filter((text) => text !== null).join('\n'),
  );
}
