import { usernameKey, type ApiUser } from './api-user.ts';

/** By last use as it is kept with the API user: to the minute, or later where very many are used (docs/decisions/050). */
export const API_USER_SORTS = ['created_at', 'name', 'last_used_at'] as const;
export type ApiUserSort = (typeof API_USER_SORTS)[number];

/** Which API users a list has; null says nothing. */
export interface ApiUserFilter {
  /** A part of the name, client id, username or contact, in any letter case. */
  search: string | null;
  enabled: boolean | null;
  scope: string | null;
}

/** The filter for these parameters, as the admin API and the command line have them. */
export function apiUserFilter({ search, state, scope }: ApiUserFilterParameters): ApiUserFilter {
  const text = search?.trim() ?? '';
  return {
    search: text === '' ? null : text,
    enabled: state === undefined ? null : state === 'enabled',
    scope: scope ?? null,
  };
}

export interface ApiUserFilterParameters {
  search?: string;
  state?: (typeof API_USER_STATES)[number];
  scope?: string;
}

export const API_USER_STATES = ['enabled', 'disabled'] as const;

/**
 * Where a page ended: the value that its list is sorted by, and the client id, by which those with the same value are
 * sorted. Null for one that was never used, in a list by last use. Then the client ids of those that came first because the
 * search was their name, and that are not again in their place.
 */
export type ApiUserPosition = readonly [
  value: string | number | null,
  clientId: string,
  ...first: readonly string[],
];

/** Whose name a search may be: one's client id, and another's username. */
export const NAMED_MAX = 2;

export interface ApiUserListPage {
  sort: ApiUserSort;
  descending: boolean;
  /** Null: from the start. */
  after: ApiUserPosition | null;
  limit: number;
}

/** A page: fewer than asked for where the store has looked at as many as it does for one page; `next` says where it goes on. */
export interface ApiUserListed {
  items: ListedApiUser[];
  /** Null: this was the last. */
  next: ApiUserPosition | null;
}

/** An API user in a list, with what there is to see of its credentials. */
export interface ListedApiUser {
  user: ApiUser;
  /** Null: never. */
  lastUsedAt: number | null;
  liveCredentials: number;
  /** When the first of its live credentials expires; null: none does. */
  nextExpiryAt: number | null;
}

/** In which form texts are searched and sorted: as usernames are compared. */
export const searchKey: (text: string) => string = usernameKey;

/** Everything about an API user that a search looks through. No text of them holds a line break. */
export function searchText({ name, clientId, username, externalId, contact }: ApiUser): string {
  return searchKey(
    [name, clientId, username, externalId, contact].filter((text) => text !== null).join('\n'),
  );
}
