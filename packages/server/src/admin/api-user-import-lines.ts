import type { ApiUserRecord } from '../domain/api-user-record.ts';
import { AppError } from '../domain/app-error.ts';
import { textLines, type TextLine } from '../lib/text-lines.ts';

const asText = (cell: string): unknown => cell;
const asList = (cell: string): unknown => cell.split(/\s+/);
/** A cell that is not a number, `true` or `false` stays text: the check of the API user then refuses it. */
const asNumber = (cell: string): unknown => (/^\d{1,15}$/.test(cell) ? Number(cell) : cell);
const asTruth = (cell: string): unknown => (/^(true|false)$/i.test(cell) ? /^true$/i.test(cell) : cell);
/** A cell that is not JSON stays text: the check of the API user then refuses it. */
const asJson = (cell: string): unknown => {
  try {
    return JSON.parse(cell);
  } catch {
    return cell;
  }
};

/** How each column of CSV is converted. Credentials have no column: only lines of JSON carry them. */
const COLUMNS: Readonly<Record<string, (cell: string) => unknown>> = {
  client_id: asText,
  name: asText,
  enabled: asTruth,
  username: asText,
  external_id: asText,
  contact: asText,
  scopes: asList,
  audiences: asList,
  limit_per_minute: asNumber,
  allowed_networks: asList,
  created_at: asText,
  organisation_id: asText,
  claims: asJson,
  token_life_seconds: asNumber,
} satisfies Record<Exclude<keyof ApiUserRecord, 'credentials'>, (cell: string) => unknown>;

/** The format of a file, recognised by its first character that is not white space. */
type Form = 'lines' | 'array' | 'table';

/** Searches this many bytes for that character. A file that begins with more white space is read as lines. */
const PEEK_BYTES_MAX = 65_536;

/**
 * Yields each API user of an import as one line of JSON. The file holds lines of JSON, a JSON array, or CSV
 * with the member names in its first line. `n` is the number of the line, or of the item of an array. Holds
 * at most one API user in memory at a time.
 */
export async function* importLines(
  pieces: AsyncIterable<Buffer | string>,
  bytesMax: number,
): AsyncGenerator<TextLine, void, undefined> {
  const { form, all } = await recognised(pieces);
  if (form === 'lines') yield* textLines(all, bytesMax);
  else if (form === 'array') yield* arrayItems(all, bytesMax);
  else yield* tableRows(all, bytesMax);
}

async function recognised(
  pieces: AsyncIterable<Buffer | string>,
): Promise<{ form: Form; all: AsyncIterable<Buffer> }> {
  const rest = pieces[Symbol.asyncIterator]();
  let head = Buffer.alloc(0);
  let form: Form | null = null;
  while (form === null && head.length <= PEEK_BYTES_MAX) {
    const next = await rest.next();
    if (next.done === true) break;
    head = Buffer.concat([head, Buffer.from(next.value)]);
    form = formOf(head);
  }
  async function* all(): AsyncGenerator<Buffer> {
    yield withoutMark(head);
    for (;;) {
      const next = await rest.next();
      if (next.done === true) return;
      yield Buffer.from(next.value);
    }
  }
  return { form: form ?? 'lines', all: all() };
}

/** The byte order mark that some programs put before UTF-8. */
const MARK = Buffer.from('\ufeff');

function withoutMark(head: Buffer): Buffer {
  return head.subarray(0, MARK.length).equals(MARK) ? head.subarray(MARK.length) : head;
}

function formOf(head: Buffer): Form | null {
  const [first] = withoutMark(head).toString('utf8').trimStart();
  if (first === undefined) return null;
  if (first === '[') return 'array';
  return first === '{' ? 'lines' : 'table';
}

const [QUOTE, BACKSLASH, COMMA, LINE_END] = Buffer.from('"\\,\n');
const OPENING = new Set(Buffer.from('[{'));
const CLOSING = new Set(Buffer.from(']}'));
const WHITE_SPACE = new Set(Buffer.from(' \t\n\r'));

/** Collects the bytes of one API user, up to a bound. */
function createCollector(bytesMax: number) {
  let kept: number[] = [];
  let length = 0;
  return {
    add(byte: number): void {
      length += 1;
      if (length <= bytesMax) kept.push(byte);
    },
    isEmpty: () => length === 0,
    read(): TextLine['text'] {
      const [bytes, tooLong] = [Buffer.from(kept), length > bytesMax];
      kept = [];
      length = 0;
      if (tooLong) return { problem: `It is longer than ${bytesMax} bytes.` };
      try {
        return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
      } catch {
        return { problem: 'It is not UTF-8: encode it as such.' };
      }
    },
  };
}

/** The items of a JSON array, as written. `importApiUsers` checks whether an item is well-formed. */
async function* arrayItems(pieces: AsyncIterable<Buffer>, bytesMax: number): AsyncGenerator<TextLine> {
  const item = createCollector(bytesMax);
  let n = 0;
  /** The depth of brackets: 1 between the items, 0 before and after the array. */
  let depth = 0;
  let inText = false;
  let escaped = false;
  let ended = false;
  const problem = (text: string): TextLine => ({ n: n + 1, text: { problem: text } });
  for await (const piece of pieces) {
    for (const byte of piece) {
      if (WHITE_SPACE.has(byte) && depth <= 1 && !inText) continue;
      if (ended) return yield problem('More follows after the end of the array: send one array.');
      if (depth === 0) depth = 1;
      else if (inText) {
        item.add(byte);
        if (byte === QUOTE && !escaped) inText = false;
        escaped = byte === BACKSLASH && !escaped;
      } else if (depth === 1 && (byte === COMMA || CLOSING.has(byte))) {
        ended = byte !== COMMA;
        if (!item.isEmpty()) yield { n: ++n, text: item.read() };
        else if (byte === COMMA)
          return yield problem('An item of the array is empty: check it with a JSON parser.');
      } else {
        item.add(byte);
        if (byte === QUOTE) inText = true;
        if (OPENING.has(byte)) depth += 1;
        if (CLOSING.has(byte)) depth -= 1;
      }
    }
  }
  if (!ended) yield problem('The array has no end: the file was cut off.');
}

/** The rows of CSV (RFC 4180), each as a JSON object. Empty cells are left out. */
async function* tableRows(pieces: AsyncIterable<Buffer>, bytesMax: number): AsyncGenerator<TextLine> {
  let table: { columns: string[]; separator: string } | null = null;
  for await (const { n, text } of records(pieces, bytesMax)) {
    if (table === null) table = headingOf(text);
    else if (typeof text !== 'string') yield { n, text };
    else yield { n, text: rowOf(text, table) };
  }
}

/**
 * Records of CSV. A line break within quotation marks does not end a record. `n` is the line in which it
 * starts.
 */
async function* records(pieces: AsyncIterable<Buffer>, bytesMax: number): AsyncGenerator<TextLine> {
  const record = createCollector(bytesMax);
  let [line, begins, quoted] = [1, 1, false];
  for await (const piece of pieces) {
    for (const byte of piece) {
      if (byte === QUOTE) quoted = !quoted;
      if (byte === LINE_END) line += 1;
      if (byte !== LINE_END || quoted) record.add(byte);
      else {
        if (!record.isEmpty()) yield { n: begins, text: record.read() };
        begins = line;
      }
    }
  }
  if (quoted) yield { n: begins, text: { problem: 'A quotation mark has no end.' } };
  else if (!record.isEmpty()) yield { n: begins, text: record.read() };
}

/** Spreadsheets write one of these, depending on the language. */
const SEPARATORS = [',', ';', '\t'];
const SHOWN = 100;

function headingOf(text: TextLine['text']): { columns: string[]; separator: string } {
  const heading = typeof text === 'string' ? text : '';
  const separator = SEPARATORS.find((each) => heading.includes(each)) ?? ',';
  const columns = cellsOf(heading, separator)?.map((name) => name.trim()) ?? [];
  const unknown = columns.find((name) => !Object.hasOwn(COLUMNS, name));
  if (unknown === undefined && columns.includes('name') && new Set(columns).size === columns.length)
    return { columns, separator };
  throw new AppError(
    'invalid',
    'The file is not one JSON object per line, a JSON array or CSV: the first line of CSV names the columns, each once, out of ' +
      `${Object.keys(COLUMNS).join(', ')}; \`name\` must be one of them` +
      `${unknown === undefined ? '' : `, and "${unknown.slice(0, SHOWN)}" is not`}.`,
  );
}

function rowOf(
  text: string,
  { columns, separator }: { columns: string[]; separator: string },
): TextLine['text'] {
  const cells = cellsOf(text, separator);
  if (cells === null) return { problem: 'A quotation mark stands in the middle of a cell.' };
  if (cells.length > columns.length && cells.slice(columns.length).some((cell) => cell.trim() !== ''))
    return {
      problem: `The row has ${cells.length} cells, and the first line names ${columns.length} columns.`,
    };
  const members = columns.flatMap((name, i) => {
    const cell = cells[i]?.trim() ?? '';
    return cell === '' ? [] : [[name, COLUMNS[name]?.(cell)]];
  });
  return members.length === 0 ? '' : JSON.stringify(Object.fromEntries(members)); // blank: skipped
}

/** Null if a quotation mark is misplaced. */
function cellsOf(text: string, separator: string): string[] | null {
  const cells: string[] = [];
  const line = text.replace(/\r$/, '');
  for (let at = 0; ;) {
    const [, quoted] = /^"((?:[^"]|"")*)"/.exec(line.slice(at)) ?? [];
    const end = quoted === undefined ? line.indexOf(separator, at) : at + quoted.length + 2;
    const cell = quoted?.replaceAll('""', '"') ?? line.slice(at, end < 0 ? undefined : end);
    if (quoted === undefined && cell.includes('"')) return null;
    cells.push(cell);
    if (end < 0 || end >= line.length) return cells;
    if (line[end] !== separator) return null;
    at = end + 1;
  }
}
