import { createHash } from 'node:crypto';
import type { Actor } from './actor.ts';
import { searchKey } from './api-user-list.ts';

/** Everything that the audit log records, `<noun>.<verb>`. */
export const AUDIT_ACTIONS = [
  'api_user.create',
  'api_user.update',
  'api_user.disable',
  'api_user.enable',
  'api_user.delete',
  'api_user.revoke_tokens',
  'api_user.import',
  'api_user.export',
  'credential.create',
  'credential.update',
  'credential.retire',
  'credential.reset',
  'credential.cut_off',
  'api_user.move',
  'organisation.create',
  'organisation.update',
  'organisation.disable',
  'organisation.enable',
  'organisation.delete',
  'organisation.import',
  'organisation.view',
  'member.invite',
  'member.accept',
  'member.update',
  'member.remove',
  'secret_link.create',
  'secret_link.open',
  'secret_link.remove',
  'audience_settings.update',
  'signing_key.create',
  'signing_key.rotate',
  'operator.invite',
  'operator.accept',
  'operator.update',
  'operator.remove',
  'operator.reset',
  'session.sign_in',
  'session.sign_out',
  'session.end',
  'profile.password',
  'profile.second_factor_on',
  'profile.second_factor_off',
  'audit.export',
  'store.restore',
] as const;
export type AuditAction = (typeof AUDIT_ACTIONS)[number];

export const AUDIT_SUBJECT_KINDS = [
  'api_user',
  'credential',
  'organisation',
  'member',
  'secret_link',
  'audience_settings',
  'signing_key',
  'operator',
  'session',
  'store',
] as const;

/** The subject of an entry. The id is null if the subject does not exist (yet), or was not found. */
export interface AuditSubject {
  kind: (typeof AUDIT_SUBJECT_KINDS)[number];
  id: string | null;
}

export const AUDIT_OUTCOMES = ['done', 'refused'] as const;
export type AuditOutcome = (typeof AUDIT_OUTCOMES)[number];

/**
 * The state of a subject before or after a change: names and JSON values. Never a secret, digest, password or
 * token.
 */
export type AuditFacts = Readonly<Record<string, unknown>>;

/** An entry that has no place in the chain yet. */
export interface AuditRecord {
  /** Milliseconds since 1970 (UTC). */
  at: number;
  actor: Actor;
  action: AuditAction;
  outcome: AuditOutcome;
  subject: AuditSubject;
  /** The owner of the subject, such as the API user of a credential. */
  related: AuditSubject | null;
  /** The organisation that the entry is about, whose admins may read it; null: none. */
  organisationId?: string | null;
  before: AuditFacts | null;
  after: AuditFacts | null;
  /** Why Mintmark refused the change; null if it made the change. */
  reason: string | null;
}

/** An entry as stored. The hash covers the texts exactly as they are here. */
export interface AuditEntry {
  /** Counts from 1, without gaps. */
  n: number;
  at: number;
  actorKind: string;
  actorId: string;
  actorName: string;
  actorAddress: string | null;
  actorRole: string | null;
  action: string;
  outcome: string;
  subjectKind: string;
  subjectId: string | null;
  relatedKind: string | null;
  relatedId: string | null;
  /** JSON. */
  before: string | null;
  after: string | null;
  reason: string | null;
  organisationId: string | null;
  /** SHA-256 of this entry and the hash of the one before, in hexadecimal. */
  hash: string;
}

/**
 * An entry with the current or last names of its subject and related. The hash does not cover these names.
 */
export interface NamedAuditEntry extends AuditEntry {
  subjectName: string | null;
  relatedName: string | null;
}

/** The place of an entry in the chain. */
export interface AuditLink {
  n: number;
  hash: string;
}

/** The link before the first entry. */
export const AUDIT_START: AuditLink = { n: 0, hash: '0'.repeat(64) };

/**
 * The hash of an entry whose predecessor has `previousHash`: SHA-256 of the JSON array (UTF-8, no white
 * space) of these values in this order. An array of strings, numbers and nulls has one form only, so no two
 * entries share one.
 */
export function auditHash(entry: Omit<AuditEntry, 'hash'>, previousHash: string): string {
  const canonical = JSON.stringify([
    previousHash,
    entry.n,
    entry.at,
    entry.actorKind,
    entry.actorId,
    entry.actorName,
    entry.actorAddress,
    entry.actorRole,
    entry.action,
    entry.outcome,
    entry.subjectKind,
    entry.subjectId,
    entry.relatedKind,
    entry.relatedId,
    entry.before,
    entry.after,
    entry.reason,
    // Only if there is one: entries of older versions keep their hashes.
    ...(entry.organisationId === null ? [] : [entry.organisationId]),
  ]);
  return createHash('sha256').update(canonical).digest('hex');
}

/**
 * Builds the entry that follows `previous`: cleans and shortens the texts of the record, and computes the
 * hash.
 */
export function auditEntry(record: AuditRecord, previous: AuditLink): AuditEntry {
  const { actor, subject, related } = record;
  const role = actor.kind === 'operator' || actor.kind === 'member' ? actor.role : null;
  const entry = {
    n: previous.n + 1,
    at: record.at,
    actorKind: actor.kind,
    actorId: clean(actor.id, ID_LENGTH_MAX),
    actorName: clean(actor.name, ID_LENGTH_MAX),
    actorAddress: actor.address === null ? null : clean(actor.address, ID_LENGTH_MAX),
    actorRole: role,
    action: record.action,
    outcome: record.outcome,
    subjectKind: subject.kind,
    subjectId: subject.id === null ? null : clean(subject.id, ID_LENGTH_MAX),
    relatedKind: related?.kind ?? null,
    relatedId: related === null || related.id === null ? null : clean(related.id, ID_LENGTH_MAX),
    before: factsText(record.before),
    after: factsText(record.after),
    reason: record.reason === null ? null : clean(record.reason, REASON_LENGTH_MAX),
    organisationId: record.organisationId ?? null,
  };
  return { ...entry, hash: auditHash(entry, previous.hash) };
}

const ID_LENGTH_MAX = 300;
const REASON_LENGTH_MAX = 500;
/**
 * Most characters of `before` or `after` as JSON. An API user with every setting at its longest has about
 * 30,000.
 */
const FACTS_LENGTH_MAX = 16_384;

function factsText(facts: AuditFacts | null): string | null {
  if (facts === null) return null;
  let kept = facts;
  let text = withoutSecrets(JSON.stringify(kept));
  while (text.length > FACTS_LENGTH_MAX) {
    kept = withoutLongest(kept);
    text = withoutSecrets(JSON.stringify(kept));
  }
  return text;
}

/** Replaces the longest value with a note of its length. */
function withoutLongest(facts: AuditFacts): AuditFacts {
  const length = (value: unknown) => JSON.stringify(value ?? null).length;
  const [name, value] = Object.entries(facts).reduce((longest, each) =>
    length(each[1]) > length(longest[1]) ? each : longest,
  );
  return { ...facts, [name]: `(too long to be kept here: ${length(value)} characters)` };
}

/**
 * Makes a text that every database returns unchanged: without secrets, without NUL, which PostgreSQL refuses,
 * and without lone surrogates.
 */
function clean(text: string, lengthMax: number): string {
  const safe = withoutSecrets(text).replaceAll('\0', '\u{FFFD}');
  return (safe.length > lengthMax ? `${safe.slice(0, lengthMax - 1)}…` : safe).toWellFormed();
}

/** Masks secrets and tokens that a caller put in the wrong place, such as a name or an id. */
function withoutSecrets(text: string): string {
  return text
    .replaceAll(/(mm[sil]_)[0-9A-Za-z_]+/g, '$1…')
    .replaceAll(/\beyJ[\w-]{10,}\.[\w-]+(\.[\w-]*)?/g, 'eyJ…');
}

/**
 * The reason of a refusal without the values that it quotes: a quoted value may be a password. Cuts from the
 * first quotation mark to the last, because a value may itself hold quotation marks.
 */
export function auditReason(message: string): string {
  return message.replace(/"[^]*"/, '"…"');
}

/** Keeps an id that was not found only if it has the form of an id: any other text may be a password. */
export function auditedId(text: string | null): string | null {
  return text !== null && /^(?:(?:api|org)_[0-9A-Za-z]{20}|op_[0-9A-Za-z]{16}|[0-9A-Za-z]{10})$/.test(text)
    ? text
    : null;
}

/**
 * Whether a name, id, address, reason or changed value of the entry contains the search, in any letter case.
 */
export function isFoundBy(entry: NamedAuditEntry, search: string): boolean {
  const texts = [
    entry.actorName,
    entry.actorId,
    entry.actorAddress,
    entry.subjectName,
    entry.subjectId,
    entry.relatedName,
    entry.relatedId,
    entry.reason,
    ...valuesIn(factsIn(entry.before)),
    ...valuesIn(factsIn(entry.after)),
  ];
  return searchKey(texts.filter((text) => text !== null).join('\n')).includes(searchKey(search));
}

function valuesIn(facts: unknown): string[] {
  if (typeof facts === 'string') return [facts];
  if (typeof facts === 'object' && facts !== null) return Object.values(facts).flatMap(valuesIn);
  return facts === null ? [] : [JSON.stringify(facts)];
}

/**
 * Returns text that is not JSON unchanged: Mintmark did not write it, and a verification of the chain reports
 * it.
 */
export function factsIn(text: string | null): unknown {
  if (text === null) return null;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
