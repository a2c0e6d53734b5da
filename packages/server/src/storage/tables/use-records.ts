import { clientIdAt, clientIdStart, CREDENTIAL_ID_WIDTH, credentialIdAt, type Uses } from './uses.ts';
import type { Positions } from './uses-in-order.ts';

// Uses as the records of `texts` (storage/connections.ts): fields of fixed width, then the rest. Records are
// written into bytes, because strings for a hundred thousand uses would cost four times as much. Each batch
// reuses the bytes of the one before: as garbage, they would cause collections of the whole heap.

/** Widths of the fields. Numbers have spaces on the left, which a cast ignores. */
export const COUNT_WIDTH = 10;
export const TIME_WIDTH = 13; // milliseconds until the year 2286

/** A batch of uses, ready for the store. Its bytes last until the same room takes the next batch. */
export interface UseRecords {
  /** A JSON array with a record for each credential: time, count, credential id and address. */
  credentials: Uint8Array;
  /**
   * A JSON array with a record for each use: its tokens and client id. Then one for each organisation, and
   * one for all callers together. Null without tokens.
   */
  tokens: Uint8Array | null;
  /** The organisations with tokens, by their ids. */
  organisations: readonly string[];
  /** A JSON array with a record for each subject: time, credential id and subject. Null without subjects. */
  subjects: string | null;
  clientIds(): string[];
}

/** The client id that stands for all callers together. */
export const ALL_CALLERS = '';

/** Room for the records of one batch after the other. */
export interface RecordRoom {
  credentials: Text;
  tokens: Text;
}

export function recordRoom(): RecordRoom {
  return { credentials: createText(), tokens: createText() };
}

/**
 * The records of the uses at these positions: the tokens by API user, the rest by credential.
 * `organisationTokens`: further tokens, by organisation.
 */
export function useRecords(
  uses: Uses,
  { byCredential, byApiUser }: Positions,
  organisationTokens: ReadonlyMap<string, number>,
  room: RecordRoom,
): UseRecords {
  return {
    credentials: credentialRecords(uses, byCredential, room.credentials),
    tokens: tokenRecords(uses, byApiUser, organisationTokens, room.tokens),
    organisations: Array.from(organisationTokens.keys()),
    subjects: subjectRecords(uses, byCredential),
    clientIds: () => Array.from(new Set(Array.from(byCredential, (at) => clientIdAt(uses, at)))),
  };
}

function credentialRecords(uses: Uses, positions: Uint32Array, text: Text): Uint8Array {
  const { credentialIds, lastUsedAt, addresses, counts } = uses;
  text.begin();
  for (const at of positions) {
    const count = counts[at] ?? 0;
    if (count === 0) continue;
    text.beginItem();
    text.addNumber(lastUsedAt[at] ?? 0, TIME_WIDTH);
    text.addNumber(count, COUNT_WIDTH);
    text.addBytes(credentialIds, at * CREDENTIAL_ID_WIDTH, CREDENTIAL_ID_WIDTH);
    text.add(addresses[at] ?? '');
    text.endItem();
  }
  return text.end();
}

function tokenRecords(
  uses: Uses,
  positions: Uint32Array,
  organisationTokens: ReadonlyMap<string, number>,
  text: Text,
): Uint8Array | null {
  const { clientIds, clientIdEnds, tokens } = uses;
  text.begin();
  let inAll = 0;
  for (const at of positions) {
    const count = tokens[at] ?? 0;
    if (count === 0) continue;
    inAll += count;
    text.beginItem();
    text.addNumber(count, COUNT_WIDTH);
    const start = clientIdStart(uses, at);
    text.addBytes(clientIds, start, (clientIdEnds[at] ?? 0) - start);
    text.endItem();
  }
  const addSum = (sum: number, id: string): void => {
    text.beginItem();
    text.addNumber(sum, COUNT_WIDTH);
    text.add(id);
    text.endItem();
  };
  for (const [id, sum] of organisationTokens) addSum(sum, id);
  if (inAll > 0) addSum(inAll, ALL_CALLERS);
  return inAll + organisationTokens.size === 0 ? null : text.end();
}

function subjectRecords(uses: Uses, positions: Uint32Array): string | null {
  const { subjects, lastUsedAt } = uses;
  if (subjects.size === 0) return null;
  const records: string[] = [];
  for (const at of positions) {
    const subject = subjects.get(at);
    if (subject === undefined) continue;
    records.push(padded(lastUsedAt[at] ?? 0, TIME_WIDTH) + credentialIdAt(uses, at) + subject);
  }
  return records.length === 0 ? null : JSON.stringify(records);
}

export function padded(number: number, width: number): string {
  return String(number).padStart(width);
}

interface Text {
  /** Begins an array in place of the one before. */
  begin(): void;
  beginItem(): void;
  addNumber(number: number, width: number): void;
  /** Adds bytes that need no escape. */
  addBytes(from: Uint8Array, start: number, length: number): void;
  add(text: string): void;
  endItem(): void;
  /** The whole array. */
  end(): Uint8Array;
}

const FIRST_BYTES = 4096;
/** Memory beyond this is not kept for the next batch. Some 4,000 uses need half of it. */
const KEPT_BYTES_MAX = 1024 * 1024;
/** Bytes of a record besides its last text, and more. */
const FIXED_BYTES_MAX = 64;
/** A character takes at most this many bytes, as an escape. */
const ESCAPE_BYTES = 6;
const [QUOTE, BACKSLASH, COMMA, SPACE, ZERO, TILDE] = [0x22, 0x5c, 0x2c, 0x20, 0x30, 0x7e];
const MILLION = 1_000_000;
const MILLION_DIGITS = 6;

/** A buffer with memory of its own: a message to another thread copies the whole memory behind a buffer. */
function memoryOf(length: number): Buffer {
  return Buffer.from(new ArrayBuffer(length));
}

/** Items of a JSON array, written into bytes. */
function createText(): Text {
  let bytes = memoryOf(FIRST_BYTES);
  let at = 0;

  function ensure(room: number): void {
    if (at + room <= bytes.length) return;
    const larger = memoryOf(2 * bytes.length + room);
    bytes.copy(larger, 0, 0, at);
    bytes = larger;
  }

  /** Writes a whole number below 2^31 with spaces or zeros on its left. */
  function addDigits(number: number, width: number, pad: number): void {
    let rest = number | 0;
    let to = at + width;
    do {
      const tens = (rest / 10) | 0;
      bytes[--to] = ZERO + (rest - 10 * tens);
      rest = tens;
    } while (rest > 0 && to > at);
    while (to > at) bytes[--to] = pad;
    at += width;
  }

  function add(text: string): void {
    ensure(text.length * ESCAPE_BYTES + FIXED_BYTES_MAX);
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code >= SPACE && code <= TILDE && code !== QUOTE && code !== BACKSLASH) bytes[at++] = code;
      else at += bytes.write(`\\u${code.toString(16).padStart(4, '0')}`, at, 'latin1');
    }
  }

  return {
    begin() {
      if (bytes.length > KEPT_BYTES_MAX) bytes = memoryOf(FIRST_BYTES);
      at = bytes.write('[', 'latin1');
    },
    beginItem() {
      ensure(FIXED_BYTES_MAX);
      bytes[at++] = QUOTE;
    },
    addNumber(number, width) {
      const millions = Math.floor(number / MILLION);
      if (!Number.isSafeInteger(number) || number < 0 || millions > 0x7fff_ffff)
        return add(padded(number, width));
      if (millions === 0) return addDigits(number, width, SPACE);
      addDigits(millions, width - MILLION_DIGITS, SPACE);
      addDigits(number - millions * MILLION, MILLION_DIGITS, ZERO);
    },
    addBytes(from, start, length) {
      ensure(length + FIXED_BYTES_MAX);
      for (let i = 0; i < length; i++) bytes[at++] = from[start + i] ?? 0;
    },
    add,
    endItem() {
      bytes[at++] = QUOTE;
      bytes[at++] = COMMA;
    },
    end() {
      ensure(FIXED_BYTES_MAX);
      if (bytes[at - 1] === COMMA) at -= 1;
      at += bytes.write(']', at, 'latin1');
      return bytes.subarray(0, at);
    },
  };
}
