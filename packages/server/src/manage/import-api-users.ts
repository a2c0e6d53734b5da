import type { Actor } from '../domain/actor.ts';
import { refuseBeyondRole } from '../domain/admin-scope.ts';
import { usernameKey, type ApiUser } from '../domain/api-user.ts';
import { readApiUserRecord, type ReadRecord } from '../domain/api-user-record.ts';
import type { Credential } from '../domain/credential.ts';
import { auditedId } from '../domain/audit-entry.ts';
import { apiUserFacts } from '../domain/audit-facts.ts';
import { jsonTextFault } from '../domain/characters.ts';
import { Refused, type Fault } from '../domain/refused.ts';
import { storeFault } from '../storage/store-error.ts';
import type { Store, StoreTransaction } from '../storage/store.ts';
import type { TextLine } from '../text-lines.ts';
import { deletedUsernameProblem } from './api-users.ts';
import { audited, recordRefusal, type Attempt, type Done } from './audited.ts';

/** What became of a line of an import. */
export type ImportedLine = { line: number; made: { clientId: string } } | RefusedLine;

interface RefusedLine {
  line: number;
  refused: Refused;
  /** Of a line that is well-formed: for the audit log. */
  clientId?: string | null;
}

export interface ImportOptions {
  /** Also makes API users whose client id is that of a deleted one, from an export of this store. Callers ask for an admin. */
  restoreDeleted?: boolean;
}

/** Lines that are made in one transaction: others wait for as long. */
const BATCH = 200;

/**
 * Makes an API user of each line (NDJSON, as an export writes it) and gives back what became of it, in the order of the lines. What
 * a line has wrong concerns that line only; where the store fails, the batches before have been made. Blank lines are passed over.
 * In the audit log: an entry for each API user that was made, for each line that the caller's role does not allow, and one for all.
 */
export async function* importApiUsers(
  store: Store,
  by: Actor,
  lines: AsyncIterable<TextLine>,
  now: () => number,
  options: ImportOptions = {},
): AsyncGenerator<ImportedLine, void, undefined> {
  const count = { made: 0, refused: 0 };
  let failed = false;
  try {
    for await (const batch of batchesOf(lines)) {
      for (const line of await importBatch(store, by, batch, now(), options)) {
        if ('made' in line) count.made += 1;
        else count.refused += 1;
        yield line;
      }
    }
  } catch (error) {
    failed = true;
    // The store that failed may take no entry either: what failed first is what the caller must hear of.
    await recordRefusal(store, by, now(), { ...ATTEMPT, after: count }, BROKEN_OFF).catch(() => undefined);
    throw error;
  } finally {
    if (!failed) await audited(store, by, now(), ATTEMPT, async () => ({ result: null, after: count }));
  }
}

const BROKEN_OFF = 'It broke off: the lines after those that are counted here were not made.';

const ATTEMPT = { action: 'api_user.import', subject: { kind: 'store', id: null } } as const;

async function* batchesOf(lines: AsyncIterable<TextLine>): AsyncGenerator<TextLine[]> {
  let batch: TextLine[] = [];
  for await (const line of lines) {
    if (typeof line.text === 'string' && line.text.trim() === '') continue;
    batch.push(line);
    if (batch.length < BATCH) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

type ParsedLine = { line: number; record: ReadRecord } | RefusedLine;

async function importBatch(
  store: Store,
  by: Actor,
  batch: readonly TextLine[],
  nowMs: number,
  options: ImportOptions,
): Promise<ImportedLine[]> {
  const parsed = batch.map((line) => parse(line, by, nowMs));
  try {
    return await importTogether(store, by, parsed, nowMs, options);
  } catch (error) {
    if (storeFault(error) !== 'conflict') throw error;
    return await importOneByOne(store, by, parsed, nowMs, options);
  }
}

/** What the batch wants to use was taken between the look and the write: that is the fault of some lines, not of all. */
async function importOneByOne(
  store: Store,
  by: Actor,
  parsed: readonly ParsedLine[],
  nowMs: number,
  options: ImportOptions,
): Promise<ImportedLine[]> {
  const outcomes: ImportedLine[] = [];
  for (const line of parsed) {
    try {
      outcomes.push(...(await importTogether(store, by, [line], nowMs, options)));
    } catch (error) {
      if (storeFault(error) !== 'conflict') throw error;
      outcomes.push({ line: line.line, refused: new Refused('conflict', TAKEN) });
    }
  }
  return outcomes;
}

const TAKEN = 'Its client id, username or a credential was given to another API user just now.';

async function importTogether(
  store: Store,
  by: Actor,
  parsed: readonly ParsedLine[],
  nowMs: number,
  options: ImportOptions,
): Promise<ImportedLine[]> {
  const records = parsed.flatMap((line) => ('record' in line ? [line.record] : []));
  const recorded = parsed.flatMap((line) => ('refused' in line ? refusalsToRecord(line) : []));
  if (records.length + recorded.length === 0) return parsed as ImportedLine[];
  return await audited(store, by, nowMs, ATTEMPT, async (transaction) => {
    const names = await namesIn(transaction, records, options);
    const outcomes = parsed.map((line) => ('record' in line ? claimed(line.line, line.record, names) : line));
    const made = outcomes.flatMap((line) => ('record' in line ? [line.record] : []));
    await insert(transaction, made, options);
    return {
      result: outcomes.map((line) =>
        'record' in line ? { line: line.line, made: { clientId: line.record.user.clientId } } : line,
      ),
      unchanged: true,
      also: [
        ...made.map(({ user, credentials }) => ({
          action: 'api_user.import' as const,
          subject: { kind: 'api_user' as const, id: user.clientId },
          after: { ...apiUserFacts(user), credentials: credentials.map(({ id }) => id) },
        })),
        ...recorded,
      ],
    };
  });
}

/** What the caller may not do is recorded, as it is where it is tried one by one. What is only wrong is not. */
function refusalsToRecord({ refused, clientId = null }: RefusedLine): (Attempt & Done)[] {
  if (refused.code !== 'forbidden') return [];
  const subject = { kind: 'api_user', id: auditedId(clientId) } as const;
  return [{ action: 'api_user.import', subject, refusal: refused.message }];
}

function parse({ n: line, text }: TextLine, by: Actor, nowMs: number): ParsedLine {
  let clientId: string | null = null;
  try {
    const record = readApiUserRecord(jsonOf(text), nowMs);
    if (Array.isArray(record)) return { line, refused: invalid(record) };
    clientId = record.user.clientId;
    refuseBeyondRole(by, record.user.scopes);
    return { line, record };
  } catch (error) {
    if (error instanceof Refused) return { line, refused: error, clientId };
    throw error;
  }
}

function jsonOf(text: TextLine['text']): unknown {
  if (typeof text !== 'string') throw new Refused('invalid', text.problem);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Refused('invalid', 'The line is not JSON: write an API user a line, each on one line.');
  }
  const fault = text.includes('\\u') ? jsonTextFault(value) : null;
  if (fault !== null) throw invalid([fault]);
  return value;
}

function invalid(faults: readonly Fault[]): Refused {
  const said = faults.map(({ member, problem }) => (member === '' ? problem : `${member}: ${problem}`));
  return new Refused('invalid', said.join(' '), { faults });
}

/** What exists of what a batch wants to use, and then also what its lines have taken. */
interface Names {
  clientIds: Set<string>;
  /** The client ids in the form in which usernames are compared. */
  clientIdKeys: Set<string>;
  usernameKeys: Set<string>;
  /** Client ids of deleted API users that may not be used again. */
  deletedKeys: Set<string>;
  credentialIds: Set<string>;
}

async function namesIn(
  transaction: StoreTransaction,
  records: readonly ReadRecord[],
  { restoreDeleted = false }: ImportOptions,
): Promise<Names> {
  const usernames = records.flatMap(({ user }) => (user.username === null ? [] : [user.username]));
  // A client id must be nobody's username, nor a username anybody's client id: either is looked up under both.
  const both = [...records.map(({ user }) => user.clientId), ...usernames];
  const found = await transaction.apiUsers.named(...both);
  const ids = records.flatMap(({ credentials }) => credentials.map(({ id }) => id));
  return {
    clientIds: new Set(found.map(({ clientId }) => clientId)),
    clientIdKeys: new Set(found.map(({ clientId }) => usernameKey(clientId))),
    usernameKeys: new Set(found.flatMap((name) => (name.usernameKey === null ? [] : [name.usernameKey]))),
    deletedKeys: new Set(await transaction.deletedClientIds.keysAmong(restoreDeleted ? usernames : both)),
    credentialIds: new Set(await transaction.credentials.taken(ids)),
  };
}

function claimed(line: number, record: ReadRecord, names: Names): ParsedLine {
  const { user, credentials } = record;
  const { clientId, username } = user;
  const fault = nameFault(record.user, names) ?? credentialFault(credentials, names);
  if (fault !== null) return { line, refused: new Refused('conflict', fault.problem, { faults: [fault] }) };
  names.clientIds.add(clientId);
  names.clientIdKeys.add(usernameKey(clientId));
  if (username !== null) names.usernameKeys.add(usernameKey(username));
  for (const { id } of credentials) names.credentialIds.add(id);
  return { line, record };
}

/** Client ids may differ in letter case only; a username is nobody else's client id or username in any letter case. */
function nameFault({ clientId, username }: ApiUser, names: Names): Fault | null {
  const idProblem = clientIdProblem(clientId, names);
  if (idProblem !== null) return { member: 'client_id', problem: idProblem };
  const problem = username === null ? null : usernameProblem(username, names);
  return problem === null ? null : { member: 'username', problem };
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

function credentialFault(credentials: readonly Credential[], { credentialIds }: Names): Fault | null {
  return credentials.some(({ id }) => credentialIds.has(id))
    ? { member: 'credentials', problem: 'One of the credentials belongs to another API user.' }
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
  await transaction.apiUsers.insert(...records.map(({ user }) => user));
  const credentials = records.flatMap((record) => record.credentials);
  if (credentials.length > 0) await transaction.credentials.insert(...credentials);
  const clientIds = records.map(({ user }) => user.clientId);
  if (restoreDeleted) await transaction.deletedClientIds.remove(clientIds);
  await transaction.changed('api_user', ...clientIds);
}

/** Of a text that quotes what was given. */
const DETAIL_LENGTH_MAX = 500;
const FAULTS_MAX = 10;

/** What became of a line, as the command line and the admin API report it. */
export function importedLineJson(imported: ImportedLine): Record<string, unknown> {
  if ('made' in imported) return { line: imported.line, outcome: 'made', client_id: imported.made.clientId };
  const { code, message, faults } = imported.refused;
  return {
    line: imported.line,
    outcome: 'refused',
    code,
    detail: short(message),
    errors: faults
      .slice(0, FAULTS_MAX)
      .map(({ member, problem }) => ({ pointer: member === '' ? '' : `/${member}`, detail: short(problem) })),
  };
}

function short(text: string): string {
  return text.length > DETAIL_LENGTH_MAX ? `${text.slice(0, DETAIL_LENGTH_MAX - 1)}…` : text;
}
