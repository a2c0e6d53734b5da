import Type, { type TOptional, type TString, type TUnsafe } from 'typebox';
import type { ApiUser } from '../../domain/api-user.ts';
import { API_USER_STATES, type ListedApiUser } from '../../domain/api-user-list.ts';
import { apiUserRecord, type ApiUserRecord, type SettingsRecord } from '../../domain/api-user-record.ts';
import type { CredentialJson } from './credential.wire.ts';
import { claimsInput } from './organisation.wire.ts';
import { closedObject, iso, nullable, oneOf, shared, text, time, timeInput, type Shared } from './schema.ts';

// API users in JSON. `mintmark api-user --json` has the same names.

export interface ApiUserJson extends Omit<ApiUserRecord, 'credentials'> {
  updated_at: string;
  version: number;
}

export interface DisabledApiUserJson extends ApiUserJson {
  undo: string;
}

export interface ListedApiUserJson extends ApiUserJson {
  organisation_name: string | null;
  last_used_at: string | null;
  live_credentials: number;
  next_expiry_at: string | null;
}

/** The filters of a list or an export. */
export const apiUserFilterParameters: {
  search: TOptional<TString>;
  state: TOptional<TUnsafe<'enabled' | 'disabled'>>;
  scope: TOptional<TString>;
  organisation_id: TOptional<TString>;
} = {
  search: Type.Optional(
    Type.String({
      maxLength: 200,
      description:
        'A part of the name, client id, username or contact, in any letter case. Those whose client id or username it is come first in a list',
    }),
  ),
  state: Type.Optional(oneOf(API_USER_STATES, 'Only these')),
  scope: Type.Optional(text('Only those that may have this scope', 100)),
  organisation_id: Type.Optional(text('Only those of this organisation; `none`: of the platform', 100)),
};

/** A new API user, with its first secret if the request did not decline one. */
export interface CreatedApiUserJson {
  api_user: ApiUserJson;
  credential?: CredentialJson;
  client_secret?: string;
}

/** Larger than the limits of domain/api-user.ts, which explains a refusal better than a schema does. */
const TEXT_LENGTH_MAX = 1000;
const ITEMS_MAX = 100;
const LIMIT_MAX = 1_000_000;
const ORGANISATION_ID_LENGTH_MAX = 100;

const settings = {
  name: text('What it is', TEXT_LENGTH_MAX),
  username: nullable(text('Works as `client_id`, too', TEXT_LENGTH_MAX)),
  external_id: nullable(text('Its id in another system; unique. An import makes it once', TEXT_LENGTH_MAX)),
  contact: nullable(text('Whom to ask about it', TEXT_LENGTH_MAX)),
  scopes: list('The scopes it may have'),
  audiences: list('The audiences it may ask for; the first is its default. None: that of the server'),
  limit_per_minute: nullable(
    Type.Integer({ minimum: 1, maximum: LIMIT_MAX, description: 'Calls a minute; null: that of the server' }),
  ),
  allowed_networks: list('Networks it may call from. None: anywhere'),
  claims: claimsInput('Claims of its tokens, beside those of its audience and organisation'),
  token_life_seconds: nullable(
    Type.Integer({
      minimum: 1,
      description: 'Life of its tokens; null: that of its organisation, audience or the server',
    }),
  ),
};

function list(description: string) {
  return Type.Array(text('One of them', TEXT_LENGTH_MAX), { maxItems: ITEMS_MAX, description });
}

const properties = {
  client_id: Type.String(),
  organisation_id: nullable(Type.String({ description: 'Its organisation; null: the platform' })),
  ...settings,
  enabled: Type.Boolean({ description: 'False: it is refused tokens' }),
  created_at: time('When it was made'),
  updated_at: time('When a setting was last changed'),
  version: Type.Integer({ minimum: 1, description: 'One more with each change of a setting; its ETag' }),
};

export const apiUserSchema: Shared<ApiUserJson> = shared('ApiUser', 'An API user', properties);

export const disabledApiUserSchema: Shared<DisabledApiUserJson> = shared(
  'DisabledApiUser',
  'An API user that is refused tokens',
  {
    ...properties,
    undo: Type.String({ description: 'The request that enables it again: method and path below this API' }),
  },
);

export const listedApiUserSchema: Shared<ListedApiUserJson> = shared(
  'ListedApiUser',
  'An API user, and what there is to see of its credentials',
  {
    ...properties,
    organisation_name: nullable(Type.String()),
    last_used_at: nullable(time('When one of its credentials was last used, as far as that is written')),
    live_credentials: Type.Integer({ minimum: 0 }),
    next_expiry_at: nullable(time('When the first of its live credentials expires')),
  },
);

export type ApiUserChangesJson = Partial<SettingsRecord>;

export const apiUserChangesSchema: TUnsafe<ApiUserChangesJson> = Type.Unsafe<ApiUserChangesJson>(
  Type.Partial(Type.Object(settings), {
    additionalProperties: false,
    minProperties: 1,
    description: 'What is to be otherwise; null takes a setting back',
  }),
);

export interface NewApiUserJson extends ApiUserChangesJson {
  name: string;
  organisation_id?: string | null;
  /** False: create no secret. */
  secret?: { name?: string; expires_at?: string | null } | false;
}

export const newApiUserSchema: TUnsafe<NewApiUserJson> = Type.Unsafe<NewApiUserJson>(
  closedObject({
    ...Type.Partial(Type.Object(settings)).properties,
    name: settings.name,
    organisation_id: Type.Optional(
      nullable(text('Its organisation; null or left out: the platform', ORGANISATION_ID_LENGTH_MAX)),
    ),
    secret: Type.Optional(
      Type.Unsafe<NewApiUserJson['secret']>({
        anyOf: [
          closedObject({
            name: Type.Optional(text('Where it is deployed', TEXT_LENGTH_MAX)),
            expires_at: Type.Optional(nullable(timeInput('From then on it is refused'))),
          }),
          { type: 'boolean', const: false },
        ],
        description: 'Its first secret; false: it gets none. Left out: one that does not expire',
      }),
    ),
  }),
);

export function apiUserJson(user: ApiUser): ApiUserJson {
  return { ...apiUserRecord(user, null), updated_at: iso(user.updatedAt), version: user.version };
}

export function disabledApiUserJson(user: ApiUser): DisabledApiUserJson {
  return { ...apiUserJson(user), undo: `POST /api-users/${user.clientId}/enable` };
}

export function listedApiUserJson(listed: ListedApiUser): ListedApiUserJson {
  return {
    ...apiUserJson(listed.user),
    organisation_name: listed.organisationName,
    last_used_at: iso(listed.lastUsedAt),
    live_credentials: listed.liveCredentials,
    next_expiry_at: iso(listed.nextExpiryAt),
  };
}
