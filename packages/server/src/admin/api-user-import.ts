import { setImmediate } from 'node:timers/promises';
import { confinedTo } from '../domain/actor.ts';
import { refuseBeyondRole } from '../domain/admin-scope.ts';
import { usernameKey, type ApiUser } from '../domain/api-user.ts';
import { readApiUserRecord, type ReadRecord } from '../domain/api-user-record.ts';
import type { Credential } from '../domain/credential.ts';
import { auditedId } from '../domain/audit-entry.ts';
import { apiUserFacts, changedFacts } from '../domain/audit-facts.ts';
import type { Fault } from '../domain/fault.ts';
import { AppError } from '../domain/app-error.ts';
import { storeFault } from '../storage/store-error.ts';
import type { StoreTransaction } from '../storage/store.ts';
import { readAhead } from '../lib/read-ahead.ts';
import type { TextLine } from '../lib/text-lines.ts';
import { deletedUsernameProblem } from './api-user.ts';
import { invalid, jsonOf, refusedLineJson } from './import-line.ts';
import {
  addOrganisations,
  occupy,
  organisationFaults,
  type Organisations,
} from './api-user-import-policy.ts';
import { audited, recordRefusal, type Attempt, type Change, type Effect } from './audited.ts';

/** The outcome of one line of an import. */
export type ImportedLine =
  | { line: number; created: { clientId: string } }
  /** Only a dry run returns this. The client id is null if the import would generate a new one. */
  | { line: number; wouldMake: { clientId: string | null } }
  | ThereLine
  | RefusedLine;

/**
 * An API user with the external id of the line exists, or an identical line made one before. The import
 * leaves it unchanged.
 */
interface ThereLine {
  line: number;
  there: {
    /** Null: an earlier line of a dry run would make it. */
    clientId: string | null;
    /** Settings in which the line and the API user differ. */
    differs: string[];
  };
}

interface RefusedLine {
  line: number;
  refused: AppError;
  /** The client id of a well-formed line, for the audit log. */
  clientId?: string | null;
}

export interface ImportOptions {
  /** Reports the outcome of each line without making anything. */
  dryRun?: boolean;
  /**
   * Also makes API users with the client ids of deleted ones, from an export of this store. The admin API
   * requires an admin for this.
   */
  restoreDeleted?: boolean;
}

/** Lines per transaction. Other changes wait until it ends. */
const BATCH = 200;

/**
 * Makes an API user from each line (NDJSON, as an export writes it) and yields the outcomes in the order of
 * the lines. A faulty line does not affect the others. If the store fails, the batches before stay imported.
 * Blank lines are skipped. The audit log gets an entry for each API user made, one for each line that the
 * role of the caller does not allow, and one for the import.
 */
export async function* importApiUsers(
  { store, actor }: Pick<Change, 'store' | 'actor'>,
  lines: AsyncIterable<TextLine>,
  now: () => number,
  options: ImportOptions = {},
): AsyncGenerator<ImportedLine, void, undefined> {
  if (confinedTo(actor) !== null)
    throw new AppError('forbidden', 'Only operators of the platform import API users.');
  const changeNow = (): Change => ({ store, actor, nowMs: now() });
  if (options.dryRun === true) return yield* dryRun(changeNow, lines, options);
  const count = { made: 0, exists: 0, refused: 0 };
  let failed = false;
  try {
    for await (const parsed of readAhead(parsedBatches(changeNow, lines))) {
      for (const line of await importBatch(changeNow(), parsed, options)) {
        if ('created' in line) count.made += 1;
        else if ('refused' in line) count.refused += 1;
        else count.exists += 1;
        yield line;
      }
    }
  } catch (error) {
    failed = true;
    // A failed store may refuse this entry as well: the caller must get the first error.
    await recordRefusal(changeNow(), { ...ATTEMPT, after: count }, BROKEN_OFF).catch(() => undefined);
    throw error;
  } finally {
    if (!failed) await audited(changeNow(), ATTEMPT, async () => ({ result: null, after: count }));
  }
}

/**
 * The most lines of one dry run. It keeps the names that earlier lines would use in memory, up to 1 KiB a
 * line.
 */
const DRY_RUN_LINES_MAX = 200_000;

async function* dryRun(
  changeNow: () => Change,
  lines: AsyncIterable<TextLine>,
  options: ImportOptions,
): AsyncGenerator<ImportedLine, void, undefined> {
  const earlier = noNames();
  const newIds = new Set<string>();
  let checked = 0;
  for await (const parsed of readAhead(parsedBatches(changeNow, lines))) {
    checked += parsed.length;
    if (checked > DRY_RUN_LINES_MAX) {
      throw new AppError('invalid', `A dry run checks at most ${DRY_RUN_LINES_MAX} lines: split the file.`);
    }
    const names = await namesIn(changeNow().store, recordsOf(parsed), options, earlier);
    for (const line of parsed) {
      const outcome = 'record' in line ? claimed(line.line, line.record, names) : line;
      yield foreseen(outcome, newIds);
    }
  }
}

/**
 * `newIds`: client ids generated for earlier lines of the dry run. They are never reported, because the
 * import generates others.
 */
function foreseen(outcome: ParsedLine | ThereLine, newIds: Set<string>): ImportedLine {
  const { line } = outcome;
  if ('record' in outcome) {
    const { user, namesId } = outcome.record;
    if (!namesId) newIds.add(user.clientId);
    return { line, wouldMake: { clientId: namesId ? user.clientId : null } };
  }
  if ('there' in outcome && newIds.has(outcome.there.clientId ?? ''))
    return { line, there: { ...outcome.there, clientId: null } };
  return outcome;
}

const BROKEN_OFF = 'It broke off: the lines after those that are counted here were not made.';

const ATTEMPT = { action: 'api_user.import', subject: { kind: 'store', id: null } } as const;

/** Lines that are parsed before the process may do other work: 16 take about a millisecond. */
const PARSED_AT_ONCE = 16;

async function* parsedBatches(
  changeNow: () => Change,
  lines: AsyncIterable<TextLine>,
): AsyncGenerator<ParsedLine[]> {
  let batch: ParsedLine[] = [];
  for await (const line of lines) {
    if (typeof line.text === 'string' && line.text.trim() === '') continue;
    batch.push(parse(line, changeNow()));
    if (batch.length % PARSED_AT_ONCE === 0) await setImmediate();
    if (batch.length < BATCH) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

type ParsedLine = { line: number; record: ReadRecord } | RefusedLine;

function recordsOf(parsed: readonly ParsedLine[]): ReadRecord[] {
  return parsed.flatMap((line) => ('record' in line ? [line.record] : []));
}

async function importBatch(
  change: Change,
  parsed: readonly ParsedLine[],
  options: ImportOptions,
): Promise<ImportedLine[]> {
  try {
    return await importTogether(change, parsed, options);
  } catch (error) {
    if (storeFault(error) !== 'conflict') throw error;
    return await importOneByOne(change, parsed, options);
  }
}

/**
 * Another change took a name of the batch between the check and the write. This imports one line at a time,
 * so that only the lines with that name are refused.
 */
async function importOneByOne(
  change: Change,
  parsed: readonly ParsedLine[],
  options: ImportOptions,
): Promise<ImportedLine[]> {
  const outcomes: ImportedLine[] = [];
  for (const line of parsed) {
    try {
      outcomes.push(...(await importTogether(change, [line], options)));
    } catch (error) {
      if (storeFault(error) !== 'conflict') throw error;
      outcomes.push({ line: line.line, refused: new AppError('conflict', TAKEN) });
    }
  }
  return outcomes;
}

const TAKEN = 'Its client id, username or a credential was given to another API user just now.';

async function importTogether(
  change: Change,
  parsed: readonly ParsedLine[],
  options: ImportOptions,
): Promise<ImportedLine[]> {
  const records = recordsOf(parsed);
  const recorded = parsed.flatMap((line) => ('refused' in line ? refusalsToRecord(line) : []));
  if (records.length + recorded.length === 0) return parsed as ImportedLine[];
  return await audited(change, ATTEMPT, async (transaction) => {
    const names = await namesIn(transaction, records, options);
    const outcomes = parsed.map((line) => ('record' in line ? claimed(line.line, line.record, names) : line));
    const newRecords = outcomes.flatMap((line) => ('record' in line ? [line.record] : []));
    await insert(transaction, newRecords, options);
    return {
      result: outcomes.map((line) =>
        'record' in line ? { line: line.line, created: { clientId: line.record.user.clientId } } : line,
      ),
      unchanged: true,
      also: [
        ...newRecords.map(({ user, credentials }) => ({
          action: 'api_user.import' as const,
          subject: { kind: 'api_user' as const, id: user.clientId },
          organisationId: user.organisationId,
          after: { ...apiUserFacts(user), credentials: credentials.map(({ id }) => id) },
        })),
        ...recorded,
      ],
    };
  });
}

/**
 * Records lines that the role of the caller does not allow, as a single request would. Lines that are only
 * invalid are not recorded.
 */
function refusalsToRecord({ refused, clientId = null }: RefusedLine): (Attempt & Effect)[] {
  if (refused.code !== 'forbidden') return [];
  const subject = { kind: 'api_user', id: auditedId(clientId) } as const;
  return [{ action: 'api_user.import', subject, refusal: refused.message }];
}

function parse({ n: line, text }: TextLine, { actor, nowMs }: Change): ParsedLine {
  let clientId: string | null = null;
  try {
    const record = readApiUserRecord(jsonOf(text), nowMs);
    if (Array.isArray(record)) return { line, refused: invalid(record) };
    clientId = record.user.clientId;
    refuseBeyondRole(actor, record.user.scopes);
    return { line, record };
  } catch (error) {
    if (error instanceof AppError) return { line, refused: error, clientId };
    throw error;
  }
}

/**
 * The names that are taken: those in the store that a batch also uses, and those of the lines checked so far.
 */
interface Names {
  clientIds: Set<string>;
  /** The client ids in the form used to compare usernames. */
  clientIdKeys: Set<string>;
  usernameKeys: Set<string>;
  /** Client ids of deleted API users, which these lines may not use. */
  deletedKeys: Set<string>;
  credentialIds: Set<string>;
  /** Digests of keys: each belongs to one API user. */
  keyDigests: Set<string>;
  /** API users by external id. */
  externalIds: Map<string, ApiUser>;
  /** API users by the key of the line that made them. */
  importKeys: Map<string, ApiUser>;
  organisations: Organisations;
}

function noNames(): Names {
  return {
    clientIds: new Set(),
    clientIdKeys: new Set(),
    usernameKeys: new Set(),
    deletedKeys: new Set(),
    credentialIds: new Set(),
    keyDigests: new Set(),
    externalIds: new Map(),
    importKeys: new Map(),
    organisations: new Map(),
  };
}

/** Adds to `names` the names of these lines that the store already has. */
async function namesIn(
  rows: Pick<StoreTransaction, 'apiUsers' | 'credentials' | 'deletedClientIds' | 'organisations'>,
  records: readonly ReadRecord[],
  { restoreDeleted = false }: ImportOptions,
  names: Names = noNames(),
): Promise<Names> {
  // A new client id is random, so it needs no look-up.
  const clientIds = records.flatMap(({ user, namesId }) => (namesId ? user.clientId : []));
  const usernames = records.flatMap(({ user }) => user.username ?? []);
  const taken = await rows.apiUsers.taken(clientIds, usernames);
  for (const id of taken.clientIds) names.clientIds.add(id);
  for (const key of taken.usernameKeys) names.usernameKeys.add(key);
  for (const key of taken.clientIdKeys) names.clientIdKeys.add(key);
  for (const key of await rows.deletedClientIds.keysAmong(
    restoreDeleted ? usernames : [...clientIds, ...usernames],
  ))
    names.deletedKeys.add(key);
  const ids = records.flatMap(({ credentials }) => credentials.map(({ id }) => id));
  for (const id of await rows.credentials.taken(ids)) names.credentialIds.add(id);
  const digests = records.flatMap(({ credentials }) => keyDigests(credentials));
  for (const { digest } of await rows.credentials.keyOwners(digests)) names.keyDigests.add(digest);
  const externalIds = records.flatMap(({ user }) => user.externalId ?? []);
  const importKeys = records.flatMap(({ importKey }) => importKey ?? []);
  for (const { user, importKey } of await rows.apiUsers.imported(externalIds, importKeys)) {
    if (user.externalId !== null) names.externalIds.set(user.externalId, user);
    if (importKey !== null) names.importKeys.set(importKey, user);
  }
  await addOrganisations(rows, records, names.organisations);
  return names;
}

/**
 * Reserves the names of the line, so that no later line can use them; or returns why the line makes no API
 * user.
 */
function claimed(line: number, record: ReadRecord, names: Names): ParsedLine | ThereLine {
  const { user, credentials, importKey } = record;
  const { clientId, username, externalId } = user;
  const there = existing(record, names);
  if (there !== undefined && (!record.namesId || there.clientId === clientId))
    return { line, there: { clientId: there.clientId, differs: differences(user, there) } };
  const fault = nameFault(user, names) ?? credentialFault(credentials, names);
  if (fault !== null) return { line, refused: new AppError('conflict', fault.problem, { faults: [fault] }) };
  const forbidden = organisationFaults(record, names.organisations);
  if (forbidden.length > 0) return { line, refused: invalid(forbidden) };
  occupy(record, names.organisations);
  names.clientIds.add(clientId);
  names.clientIdKeys.add(usernameKey(clientId));
  if (username !== null) names.usernameKeys.add(usernameKey(username));
  for (const { id } of credentials) names.credentialIds.add(id);
  for (const digest of keyDigests(credentials)) names.keyDigests.add(digest);
  if (externalId !== null) names.externalIds.set(externalId, user);
  if (importKey !== null) names.importKeys.set(importKey, user);
  return { line, record };
}

function existing({ user, importKey }: ReadRecord, names: Names): ApiUser | undefined {
  if (user.externalId !== null) return names.externalIds.get(user.externalId);
  return importKey === null ? undefined : names.importKeys.get(importKey);
}

/** The settings, by their JSON names, in which the stored API user differs from the line. */
function differences(said: ApiUser, there: ApiUser): string[] {
  return Object.keys(changedFacts(apiUserFacts(there), apiUserFacts(said)).after);
}

/**
 * Two client ids may differ in letter case only. A username must differ from every other username and client
 * id even without regard to letter case.
 */
function nameFault({ clientId, username, externalId }: ApiUser, names: Names): Fault | null {
  const idProblem = clientIdProblem(clientId, names);
  if (idProblem !== null) return { member: 'client_id', problem: idProblem };
  const problem = username === null ? null : usernameProblem(username, names);
  if (problem !== null) return { member: 'username', problem };
  if (externalId === null || !names.externalIds.has(externalId)) return null;
  return { member: 'external_id', problem: `The external id "${externalId}" belongs to another API user.` };
}

function clientIdProblem(clientId: string, names: Names): string | null {
  const key = usernameKey(clientId);
  if (names.clientIds.has(clientId)) return `There is an API user "${clientId}" already.`;
  if (names.usernameKeys.has(key)) return `The client id "${clientId}" is the username of another API user.`;
  return names.deletedKeys.has(key) ? deletedIdProblem(clientId) : null;
}

function usernameProblem(username: string, names: Names): string | null {
  const key = usernameKey(username);
  if (names.usernameKeys.has(key)) return `The username "${username}" is the username of another API user.`;
  if (names.clientIdKeys.has(key)) return `The username "${username}" is the client id of another API user.`;
  return names.deletedKeys.has(key) ? deletedUsernameProblem(username) : null;
}

function keyDigests(credentials: readonly Credential[]): string[] {
  return credentials.filter(({ kind }) => kind === 'key').map(({ digest }) => digest);
}

function credentialFault(credentials: readonly Credential[], names: Names): Fault | null {
  const member = 'credentials';
  if (credentials.some(({ id }) => names.credentialIds.has(id)))
    return { member, problem: 'One of the credentials belongs to another API user.' };
  const digests = keyDigests(credentials);
  return digests.some((digest) => names.keyDigests.has(digest)) || new Set(digests).size < digests.length
    ? { member, problem: 'One of the keys belongs to another credential: each key is registered once.' }
    : null;
}

function deletedIdProblem(clientId: string): string {
  return (
    `"${clientId}" is the client id of a deleted API user, which is never used again: leave it out for a new one. An admin brings a ` +
    'deleted API user back from an export of this store with restore_deleted (--restore-deleted on the command line).'
  );
}

async function insert(
  transaction: StoreTransaction,
  records: readonly ReadRecord[],
  { restoreDeleted = false }: ImportOptions,
): Promise<void> {
  if (records.length === 0) return;
  await transaction.apiUsers.insertImported(records);
  const credentials = records.flatMap((record) => record.credentials);
  if (credentials.length > 0) await transaction.credentials.insert(...credentials);
  const clientIds = records.map(({ user }) => user.clientId);
  if (restoreDeleted) await transaction.deletedClientIds.remove(clientIds);
  await transaction.changed('api_user', ...clientIds);
}

/** The outcome of a line, as the command line and the admin API report it. */
export function importedLineJson(imported: ImportedLine): Record<string, unknown> {
  const { line } = imported;
  if ('created' in imported) return { line, outcome: 'made', client_id: imported.created.clientId };
  if ('wouldMake' in imported) return { line, outcome: 'would_make', client_id: imported.wouldMake.clientId };
  if ('there' in imported)
    return { line, outcome: 'exists', client_id: imported.there.clientId, differs: imported.there.differs };
  return refusedLineJson(line, imported.refused);
}
