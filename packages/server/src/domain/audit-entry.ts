import { createHash } from 'node:crypto';
import type { Actor, Role } from './actor.ts';
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
  'signing_key',
  'operator',
  'session',
  'store',
] as const;

/** What an entry is about. The id is null where there is none (yet), or none that was found. */
export interface AuditSubject {
  kind: (typeof AUDIT_SUBJECT_KINDS)[number];
  id: string | null;
}

export const AUDIT_OUTCOMES = ['done', 'refused'] as const;
export type AuditOutcome = (typeof AUDIT_OUTCOMES)[number];

/** What something was before a change, or is after it: names and JSON values. Never a secret, digest, password or token. */
export type AuditFacts = Readonly<Record<string, unknown>>;

/** What is recorded, before it has its place in the chain. */
export interface AuditRecord {
  /** Milliseconds since 1970 (UTC). */
  at: number;
  actor: Actor;
  action: AuditAction;
  outcome: AuditOutcome;
  subject: AuditSubject;
  /** Whose the subject is: the API user of a credential. */
  related: AuditSubject | null;
  before: AuditFacts | null;
  after: AuditFacts | null;
  /** Why it was refused; null where it was done. */
  reason: string | null;
}

/** An entry as it is stored. The hash covers the texts as they are here. */
export interface AuditEntry {
  /** From 1 on, without gaps. */
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
  /** SHA-256 of this entry and the hash of the one before, in hexadecimal. */
  hash: string;
}

/** An entry with the names of what it is about: as they are now, or as they last were. No part of the hash. */
export interface NamedAuditEntry extends AuditEntry {
  subjectName: string | null;
  relatedName: string | null;
}

/** The place of an entry in the chain. */
export interface AuditLink {
  n: number;
  hash: string;
}

/** Before the first entry. */
export const AUDIT_START: AuditLink = { n: 0, hash: '0'.repeat(64) };

/**
 * The hash of an entry whose predecessor has `previousHash`: SHA-256 of the JSON array (UTF-8, no white space) of these
 * values in this order. An array of strings, numbers and nulls has one form only, so no two entries share one.
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
  ]);
  return createHash('sha256').update(canonical).digest('hex');
}

/** The entry for a record that comes after `previous`: its texts cleaned and bounded, and its hash. */
export function auditEntry(record: AuditRecord, previous: AuditLink): AuditEntry {
  const { actor, subject, related } = record;
  const role: Role | null = actor.kind === 'operator' ? actor.role : null;
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
  };
  return { ...entry, hash: auditHash(entry, previous.hash) };
}

const ID_LENGTH_MAX = 300;
const REASON_LENGTH_MAX = 500;
/** Characters of `before` or `after` as JSON: an API user with every setting at its longest has some 30,000. */
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

/** The longest value gives way to a text that says how long it was. */
function withoutLongest(facts: AuditFacts): AuditFacts {
  const length = (value: unknown) => JSON.stringify(value ?? null).length;
  const [name, value] = Object.entries(facts).reduce((longest, each) =>
    length(each[1]) > length(longest[1]) ? each : longest,
  );
  return { ...facts, [name]: `(too long to be kept here: ${length(value)} characters)` };
}

/** A text that every database gives back as it was: no NUL, which PostgreSQL does not take, and no half characters. */
function clean(text: string, lengthMax: number): string {
  const safe = withoutSecrets(text).replaceAll('\0', '\u{FFFD}');
  return (safe.length > lengthMax ? `${safe.slice(0, lengthMax - 1)}…` : safe).toWellFormed();
}

/** Secrets and tokens that somebody put where they do not belong: into a name, or for an id. */
function withoutSecrets(text: string): string {
  return text
    .replaceAll(/(mm[si]_)[0-9A-Za-z_]+/g, '$1…')
    .replaceAll(/\beyJ[\w-]{10,}\.[\w-]+(\.[\w-]*)?/g, 'eyJ…');
}

/**
 * Why something was refused, without the values that the text quotes: what was put there may be a password. From the
 * first quotation mark to the last, because the value may hold some itself.
 */
export function auditReason(message: string): string {
  return message.replace(/"[^]*"/, '"…"');
}

/** An id by which nothing was found is kept where it has the form of one: another text may be a password. */
export function auditedId(given: string | null): string | null {
  return given !== null && /^(?:api_[0-9A-Za-z]{20}|op_[0-9A-Za-z]{16}|[0-9A-Za-z]{10})$/.test(given)
    ? given
    : null;
}

/** Whether a search finds an entry: by a part of a name, id, address, reason or changed value, in any letter case. */
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

/** A text that is not JSON was not written by this program: it is shown as it is, and a verification finds it. */
export function factsIn(text: string | null): unknown {
  if (text === null) return null;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
