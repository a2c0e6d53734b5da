import { parseArgs } from 'node:util';
import { CHECKS } from './checks/all.ts';
import { parseDeviations, type Deviation } from './deviation.ts';
import { readPrivateKey } from './private-key.ts';
import type { Client, KeyClient } from './client.ts';
import type { Endpoints, TargetOptions } from './target.ts';

export interface Command {
  target: TargetOptions;
  deviations: Deviation[];
  only: readonly string[] | undefined;
  /** A failed SHOULD fails the run, too. */
  isStrict: boolean;
  /** Where else to write the report. */
  files: { json?: string; junit?: string; markdown?: string };
}

type TextOption =
  | 'client-id'
  | 'client-secret-file'
  | 'other-client-id'
  | 'other-client-secret-file'
  | 'key-client-id'
  | 'key-file'
  | 'scope'
  | 'resource'
  | UrlOption
  | 'deviations'
  | 'json'
  | 'junit'
  | 'markdown';

type UrlOption =
  | 'protected-url'
  | 'token-endpoint'
  | 'introspection-endpoint'
  | 'revocation-endpoint'
  | 'jwks-uri';

/** A page that the command prints instead of checking a server. */
export type Page = 'help' | 'list' | 'version';

interface Values extends Partial<Record<TextOption, string>>, Partial<Record<Page, boolean>> {
  only?: string[];
  strict?: boolean;
}

const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;

const OPTIONS = {
  'client-id': text,
  'client-secret-file': text,
  'other-client-id': text,
  'other-client-secret-file': text,
  'key-client-id': text,
  'key-file': text,
  scope: text,
  resource: text,
  'protected-url': text,
  'token-endpoint': text,
  'introspection-endpoint': text,
  'revocation-endpoint': text,
  'jwks-uri': text,
  deviations: text,
  only: { ...text, multiple: true },
  strict: flag,
  json: text,
  junit: text,
  markdown: text,
  list: flag,
  help: { ...flag, short: 'h' },
  version: flag,
} as const;

const URL_OPTIONS: readonly UrlOption[] = [
  'protected-url',
  'token-endpoint',
  'introspection-endpoint',
  'revocation-endpoint',
  'jwks-uri',
];

const PAGES: readonly Page[] = ['help', 'list', 'version'];

/** Reads a file as text; throws if it cannot. */
export type ReadText = (path: string) => string;

export interface Faults {
  faults: string[];
}

/** What the arguments request, or everything that is wrong with them and with their files. */
export function readArguments(argv: readonly string[], readText: ReadText): Command | Page | Faults {
  let values: Values;
  let positionals: string[];
  try {
    ({ values, positionals } = parseArgs({ args: [...argv], options: OPTIONS, allowPositionals: true }));
  } catch (error) {
    // The message quotes the name of an unknown option and no value.
    return { faults: [(error as Error).message] };
  }
  return PAGES.find((page) => values[page] === true) ?? readCommand(values, positionals, readText);
}

function readCommand(values: Values, positionals: readonly string[], readText: ReadText): Command | Faults {
  const faults: string[] = [];
  const reading = { readText, faults };
  const url = readUrl(positionals, faults);
  const client = readClient(values, CLIENT_OPTIONS, reading);
  if (client === undefined && values['client-id'] === undefined)
    faults.push('--client-id and --client-secret-file: name a client of the server.');
  const otherClient = readClient(values, OTHER_CLIENT_OPTIONS, reading);
  const keyClient = readKeyClient(values, reading);
  const deviations = readDeviations(values.deviations, reading);
  faults.push(...wrongUrls(values), ...unknownIds(values.only ?? []));
  if (faults.length > 0 || client === undefined) return { faults };
  const { resource, 'protected-url': protectedUrl } = values;
  return {
    target: {
      url,
      client,
      ...(otherClient !== undefined && { otherClient }),
      ...(keyClient !== undefined && { keyClient }),
      ...(resource !== undefined && { resource }),
      ...(protectedUrl !== undefined && { protectedUrl }),
      scopes: (values.scope ?? '').split(' ').filter((scope) => scope !== ''),
      endpoints: endpointsIn(values),
    },
    deviations,
    only: values.only,
    isStrict: values.strict === true,
    files: values,
  };
}

function unknownIds(ids: readonly string[]): string[] {
  return ids
    .filter((id) => !IDS.has(id))
    .map((id) => `--only: there is no check ${JSON.stringify(id)}; see --list.`);
}

/** The options that are URLs and hold something else. */
function wrongUrls(values: Values): string[] {
  return URL_OPTIONS.flatMap((name) => {
    const value = values[name];
    const isNone = name === 'protected-url' && value === 'none';
    return value === undefined || isNone || isHttpUrl(value)
      ? []
      : [`--${name}: ${JSON.stringify(value)} is not an http or https URL.`];
  });
}

const IDS: ReadonlySet<string> = new Set(CHECKS.map(({ id }) => id));

interface Reading {
  readText: ReadText;
  faults: string[];
}

function readUrl(positionals: readonly string[], faults: string[]): string {
  const [url = '', ...rest] = positionals;
  if (url === '') faults.push('The first argument is the issuer or the base URL of the server.');
  else if (!isHttpUrl(url)) faults.push(`${JSON.stringify(url)} is not an http or https URL.`);
  if (rest.length > 0) faults.push(`There are ${rest.length} arguments too many: ${rest.join(' ')}`);
  return url;
}

function isHttpUrl(value: string): boolean {
  return URL.canParse(value) && /^https?:$/.test(new URL(value).protocol);
}

/** The options for the id of a client, and for the file with its secret. */
type ClientOptions = readonly [id: TextOption, file: TextOption];
const CLIENT_OPTIONS: ClientOptions = ['client-id', 'client-secret-file'];
const OTHER_CLIENT_OPTIONS: ClientOptions = ['other-client-id', 'other-client-secret-file'];

function readClient(values: Values, names: ClientOptions, reading: Reading): Client | undefined {
  const [idName, fileName] = names;
  const id = values[idName];
  const file = values[fileName];
  if (id === undefined && file === undefined) return undefined;
  if (id === undefined || file === undefined) {
    reading.faults.push(`--${idName} and --${fileName} go together: one of them is missing.`);
    return undefined;
  }
  const secret = readFileOf(fileName, file, reading);
  return secret === undefined ? undefined : { id, secret };
}

function readKeyClient(values: Values, reading: Reading): KeyClient | 'none' | undefined {
  const { 'key-client-id': id, 'key-file': file } = values;
  if (id === 'none' && file === undefined) return 'none';
  if (id === undefined && file === undefined) return undefined;
  if (id === undefined || file === undefined) {
    reading.faults.push('--key-client-id and --key-file go together: one of them is missing.');
    return undefined;
  }
  const key = readFileOf('key-file', file, reading);
  if (key === undefined) return undefined;
  const signer = readPrivateKey(key);
  if (typeof signer !== 'string') return { id, signer };
  reading.faults.push(`--key-file: ${JSON.stringify(file)} ${signer}`);
  return undefined;
}

function readDeviations(file: string | undefined, reading: Reading): Deviation[] {
  const content = file === undefined ? '[]' : readFileOf('deviations', file, reading);
  if (content === undefined) return [];
  const parsed = parseDeviations(content, IDS);
  const isRead = (list: typeof parsed): list is Deviation[] => list.every((each) => typeof each === 'object');
  if (isRead(parsed)) return parsed;
  reading.faults.push(...parsed.map((fault) => `--deviations: ${fault}`));
  return [];
}

/** The text without the line end that editors add. */
function readFileOf(option: string, file: string, { readText, faults }: Reading): string | undefined {
  try {
    const content = readText(file).replace(/\r?\n$/, '');
    if (content !== '') return content;
    faults.push(`--${option}: ${JSON.stringify(file)} is empty.`);
  } catch (error) {
    faults.push(
      `--${option}: ${JSON.stringify(file)} cannot be read: ${(error as NodeJS.ErrnoException).code}.`,
    );
  }
  return undefined;
}

function endpointsIn(values: Values): Partial<Endpoints> {
  const token = values['token-endpoint'];
  const introspection = values['introspection-endpoint'];
  const revocation = values['revocation-endpoint'];
  const jwks = values['jwks-uri'];
  return {
    ...(token !== undefined && { token }),
    ...(introspection !== undefined && { introspection }),
    ...(revocation !== undefined && { revocation }),
    ...(jwks !== undefined && { jwks }),
  };
}
