import { hash } from 'node:crypto';
import {
  apiUserFaults,
  newClientId,
  UNSET_SETTINGS,
  type ApiUser,
  type ApiUserSettings,
} from './api-user.ts';
import { factsDigest, keyFactsOf, trustRuleOf } from './assertion-credential.ts';
import type { Claims } from './claims.ts';
import {
  CREDENTIAL_KINDS,
  credentialNameProblem,
  LIVE_CREDENTIALS_MAX,
  UNUSED_CREDENTIAL,
  type Credential,
} from './credential.ts';
import { KIND_FACTS } from './credential-kind.ts';
import { readJwk } from './public-key.ts';
import { trustRuleFaults, urlProblem } from './trust-rule-faults.ts';
import {
  storedRule,
  trustRuleFromJson,
  trustRuleJson,
  trustRuleShapeFaults,
  type TrustRuleJson,
} from './trust-rule-json.ts';
import type { PublicJwk } from './trust-rule.ts';
import { randomBase62 } from '../lib/random.ts';
import type { Fault } from './fault.ts';
import {
  isObject,
  numberOrNull,
  object,
  shapeFaults,
  text,
  textOrNull,
  texts,
  timeFaults,
  truth,
  type Json,
  type Member,
} from './record-shape.ts';
import { KEY_ID_LENGTH } from './secret.ts';

// An API user as one line of an export or import: its settings, and the digests of its credentials.

/**
 * A credential in an export. It holds the digest and never the secret. After an import, callers keep using
 * their secrets.
 */
export interface CredentialRecord {
  id: string;
  kind: Credential['kind'];
  name: string;
  /** Left out for a key or trust rule: it follows from these. */
  digest?: string;
  /** Of a registered key. */
  public_key?: PublicJwk;
  /** Of a key behind the URL of its key set. */
  jwks_url?: string;
  /** Of a trust rule. */
  trust_rule?: TrustRuleJson;
  created_at: string;
  expires_at: string | null;
}

/** The settings of an API user in JSON: the one spelling of export, admin API, commands and audit log. */
export interface SettingsRecord {
  name: string;
  username: string | null;
  external_id: string | null;
  contact: string | null;
  scopes: readonly string[];
  audiences: readonly string[];
  limit_per_minute: number | null;
  allowed_networks: readonly string[];
  claims: Claims;
  token_life_seconds: number | null;
}

export interface ApiUserRecord extends SettingsRecord {
  client_id: string;
  /** Null: it belongs to the platform. */
  organisation_id: string | null;
  enabled: boolean;
  created_at: string;
  /** Left out of an export without digests. */
  credentials?: readonly CredentialRecord[];
}

/** An API user to create, with its credentials. */
export interface ReadRecord {
  user: ApiUser;
  credentials: Credential[];
  /**
   * A digest of the line, which identifies it in a repeated import. Null if the line names a client id or an
   * external id: these identify it.
   */
  importKey: string | null;
  /** False: the line names no client id, so `user` has a new one. */
  namesId: boolean;
}

export function apiUserRecord(user: ApiUser, credentials: readonly Credential[] | null): ApiUserRecord {
  return {
    client_id: user.clientId,
    organisation_id: user.organisationId,
    ...settingsRecord(user),
    created_at: iso(user.createdAt),
    ...(credentials !== null && {
      credentials: credentials.map((credential) => ({
        id: credential.id,
        kind: credential.kind,
        name: credential.name,
        ...(credential.facts === null ? { digest: credential.digest } : factsRecord(credential)),
        created_at: iso(credential.createdAt),
        expires_at: credential.expiresAt === null ? null : iso(credential.expiresAt),
      })),
    }),
  };
}

/** What a key or trust rule says; empty for a secret or password. */
export function factsRecord(
  credential: Pick<Credential, 'kind' | 'facts'>,
): Pick<CredentialRecord, 'public_key' | 'jwks_url' | 'trust_rule'> {
  const [key, rule] = [keyFactsOf(credential), trustRuleOf(credential)];
  if (rule !== null) return { trust_rule: trustRuleJson(rule) };
  if (key === null) return {};
  return 'jwk' in key ? { public_key: key.jwk } : { jwks_url: key.jwks_url };
}

export function settingsRecord(user: ApiUser): SettingsRecord & { enabled: boolean } {
  return {
    name: user.name,
    enabled: user.enabled,
    username: user.username,
    external_id: user.externalId,
    contact: user.contact,
    scopes: user.scopes,
    audiences: user.audiences,
    limit_per_minute: user.limitPerMinute,
    allowed_networks: user.allowedNetworks,
    claims: user.claims,
    token_life_seconds: user.tokenLifeSeconds,
  };
}

/** Holds only the settings that the record names. */
export function changesOf(record: Partial<SettingsRecord>): Partial<ApiUserSettings> {
  return {
    ...(record.name !== undefined && { name: record.name }),
    ...(record.username !== undefined && { username: record.username }),
    ...(record.external_id !== undefined && { externalId: record.external_id }),
    ...(record.contact !== undefined && { contact: record.contact }),
    ...(record.scopes !== undefined && { scopes: record.scopes }),
    ...(record.audiences !== undefined && { audiences: record.audiences }),
    ...(record.limit_per_minute !== undefined && { limitPerMinute: record.limit_per_minute }),
    ...(record.allowed_networks !== undefined && { allowedNetworks: record.allowed_networks }),
    ...(record.claims !== undefined && { claims: record.claims }),
    ...(record.token_life_seconds !== undefined && { tokenLifeSeconds: record.token_life_seconds }),
  };
}

/** All settings of a new API user: what the record leaves out is unset. */
export function settingsOf(record: Partial<SettingsRecord> & { name: string }): ApiUserSettings {
  return { ...UNSET_SETTINGS, ...changesOf(record), name: record.name };
}

/**
 * Reads a line of an import: returns the API user, or every fault of the line. Only the name is required. An
 * API user without a client id gets a new one.
 */
export function readApiUserRecord(json: unknown, nowMs: number): ReadRecord | Fault[] {
  if (!isObject(json)) return [{ member: '', problem: 'A line is a JSON object.' }];
  const shape = shapeFaults(json, USER_MEMBERS);
  if (shape.length > 0) return shape;
  const settings = settingsOf(json as Partial<ApiUserRecord> & { name: string });
  const record = json as Partial<ApiUserRecord>;
  const { client_id: clientId, organisation_id: organisationId, enabled, credentials } = record;
  const { created_at: createdAt } = record;
  const faults = [
    ...apiUserFaults(settings),
    ...(clientId === undefined ? [] : clientIdFaults(clientId)),
    ...timeFaults('created_at', createdAt),
  ];
  const user: ApiUser = {
    clientId: clientId ?? newClientId(),
    organisationId: organisationId ?? null,
    ...settings,
    enabled: enabled ?? true,
    createdAt: createdAt === undefined ? nowMs : Date.parse(createdAt),
    updatedAt: nowMs,
    version: 1,
  };
  const read = (credentials ?? []).map((each, i) => readCredential(each, i, user.clientId, nowMs));
  const validCredentials = read.filter((each): each is Credential => !Array.isArray(each));
  faults.push(
    ...read.flatMap((each) => (Array.isArray(each) ? each : [])),
    ...togetherFaults(validCredentials),
  );
  if (faults.length > 0) return faults;
  const namesId = clientId !== undefined;
  const importKey = namesId || user.externalId !== null ? null : keyOf(json, user);
  return { user, credentials: validCredentials, importKey, namesId };
}

/**
 * Lines with the same content have the same key, in any order and spelling of JSON members, and in CSV. A
 * member that is left out counts as its default.
 */
function keyOf(json: Json, user: ApiUser): string {
  const { created_at: createdAt = null, credentials = [] } = json as Partial<ApiUserRecord>;
  const { organisation_id, claims, token_life_seconds, ...settings } = apiUserRecord(user, null);
  // Only if set: lines of an older version, which has none of these, must keep their keys.
  const later = {
    ...(organisation_id !== null && { organisation_id }),
    ...(Object.keys(claims).length > 0 && { claims }),
    ...(token_life_seconds !== null && { token_life_seconds }),
  };
  const said = {
    ...settings,
    ...later,
    client_id: null,
    created_at: createdAt,
    credentials: credentials.map(({ id, kind, name, digest, created_at: at, expires_at: end, ...facts }) => [
      ...[id, kind, name, digest, at, end].map((value) => value ?? null),
      ...Object.values(facts),
    ]),
  };
  return hash('sha256', JSON.stringify(said), 'base64url');
}

const USER_MEMBERS: Readonly<Record<keyof ApiUserRecord, Member>> = {
  client_id: text,
  organisation_id: textOrNull,
  name: { ...text, required: true },
  enabled: truth,
  username: textOrNull,
  external_id: textOrNull,
  contact: textOrNull,
  scopes: texts,
  audiences: texts,
  limit_per_minute: numberOrNull,
  allowed_networks: texts,
  claims: object,
  token_life_seconds: numberOrNull,
  created_at: text,
  credentials: { is: 'a list of objects', fits: (value) => Array.isArray(value) && value.every(isObject) },
};

const CREDENTIAL_MEMBERS: Readonly<Record<keyof CredentialRecord, Member>> = {
  id: text,
  kind: {
    is: CREDENTIAL_KINDS.join(' or '),
    fits: (value) => CREDENTIAL_KINDS.some((kind) => kind === value),
    required: true,
  },
  name: { ...text, required: true },
  digest: text,
  public_key: object,
  jwks_url: text,
  trust_rule: object,
  created_at: text,
  expires_at: textOrNull,
};

/**
 * An import keeps client ids from other systems. It refuses `export` and `import`: in the admin API, paths
 * with these names stand in the place of a client id.
 */
function clientIdFaults(clientId: string): Fault[] {
  const fits =
    /^[A-Za-z0-9._~-]{1,100}$/.test(clientId) && !['export', 'import', '.', '..'].includes(clientId);
  const problem = 'A client id has 1 to 100 letters, digits, dots, hyphens, underscores and tildes.';
  return fits ? [] : [{ member: 'client_id', problem }];
}

function readCredential(json: object, i: number, clientId: string, nowMs: number): Credential | Fault[] {
  const below = (faults: Fault[]) =>
    faults.map(({ member, problem }) => ({ member: `credentials/${i}/${member}`, problem }));
  const shape = shapeFaults(json as Json, CREDENTIAL_MEMBERS);
  if (shape.length > 0) return below(shape);
  const record = json as CredentialRecord;
  const material = readMaterial(record);
  const faults = [
    ...(Array.isArray(material) ? material : []),
    ...problemFaults('id', KIND_FACTS[record.kind].idProblem(record.id)),
    ...problemFaults('name', credentialNameProblem(record.name)),
    ...timeFaults('created_at', record.created_at),
    ...timeFaults('expires_at', record.expires_at),
  ];
  if (Array.isArray(material) || faults.length > 0) return below(faults);
  const expiresAt = record.expires_at ?? null;
  return {
    id: record.id ?? randomBase62(KEY_ID_LENGTH),
    clientId,
    kind: record.kind,
    name: record.name,
    ...material,
    createdAt: record.created_at === undefined ? nowMs : Date.parse(record.created_at),
    expiresAt: expiresAt === null ? null : Date.parse(expiresAt),
    ...UNUSED_CREDENTIAL,
  };
}

type StoredMaterial = Pick<Credential, 'digest' | 'facts'>;

/** The digest of a secret or password; the facts of a key or trust rule, and the digest that follows. */
function readMaterial(record: CredentialRecord): StoredMaterial | Fault[] {
  const own = MATERIAL_MEMBERS.filter((member) => record[member] !== undefined);
  const allowed = ALLOWED_MATERIAL[record.kind];
  const [member] = own;
  if (own.length !== 1 || member === undefined || !allowed.includes(member))
    return [
      {
        member: allowed[0] ?? '',
        problem: `A ${record.kind} has ${allowed.join(' or ')}, and nothing else.`,
      },
    ];
  if (record.jwks_url !== undefined) return readKeySetUrl(record.jwks_url);
  if (record.public_key !== undefined) {
    const outcome = readJwk(record.public_key);
    if (Array.isArray(outcome)) return outcome;
    return { digest: outcome.thumbprint, facts: { jwk: outcome.jwk } };
  }
  if (record.trust_rule !== undefined) return readTrustRule(record.trust_rule);
  const digest = record.digest ?? '';
  const problem = KIND_FACTS[record.kind].digestProblem?.(digest) ?? null;
  return problem === null ? { digest, facts: null } : problemFaults('digest', problem);
}

const MATERIAL_MEMBERS = ['digest', 'public_key', 'jwks_url', 'trust_rule'] as const;
const ALLOWED_MATERIAL: Readonly<Record<Credential['kind'], readonly (typeof MATERIAL_MEMBERS)[number][]>> = {
  secret: ['digest'],
  password: ['digest'],
  key: ['public_key', 'jwks_url'],
  trust: ['trust_rule'],
};

function readKeySetUrl(url: string): StoredMaterial | Fault[] {
  const problem = urlProblem(url);
  const facts = { jwks_url: url };
  return problem === null ? { digest: factsDigest(facts), facts } : problemFaults('jwks_url', problem);
}

/** An export may hold a rule that somebody forced. */
function readTrustRule(json: TrustRuleJson): StoredMaterial | Fault[] {
  const shape = trustRuleShapeFaults(json);
  const facts = shape.length > 0 ? null : trustRuleFromJson(json, json.audience);
  const faults = facts === null ? shape : trustRuleFaults(facts, { force: true });
  if (facts === null || faults.length > 0)
    return faults.map(({ member, problem }) => ({ member: `trust_rule/${member}`, problem }));
  const stored = storedRule(facts);
  return { digest: factsDigest(stored), facts: stored };
}

function problemFaults(member: string, problem: string | null): Fault[] {
  return problem === null ? [] : [{ member, problem }];
}

/**
 * Faults of the credentials as a whole: too many of them, two of a kind that allows one, or two with the same
 * id.
 */
function togetherFaults(credentials: readonly Credential[]): Fault[] {
  const member = 'credentials';
  const singleKinds = CREDENTIAL_KINDS.filter((kind) => KIND_FACTS[kind].isSingle);
  const repeated = singleKinds.filter((kind) => credentials.filter((one) => one.kind === kind).length > 1);
  const ids = new Set(credentials.map(({ id }) => id));
  return [
    ...(credentials.length > LIVE_CREDENTIALS_MAX
      ? [{ member, problem: `There are more than ${LIVE_CREDENTIALS_MAX} credentials.` }]
      : []),
    ...repeated.map((kind) => ({ member, problem: `There is more than one ${kind}.` })),
    ...(ids.size < credentials.length ? [{ member, problem: 'Two credentials have the same id.' }] : []),
  ];
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
