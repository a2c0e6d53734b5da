// Test setup: own store, own limits.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { temporaryFolder } from '@mintmark/test-support/command-line';
import {
  FACTORIES,
  IDENTIFIERS,
  IDIOMS,
  IMPURE,
  LONG_COMMENTS,
  MANY_PARAMETERS,
  TOO_LONG,
  UNNAMED_NOUNS,
} from './exceptions.ts';
import { lintedWith, ROOT } from './lint.ts';

const SOURCES = join(import.meta.dirname, '../../src');
const PACKAGES = ['server', 'console', 'client', 'verifier', 'conformance', 'testing'];
const NOUNS = [
  'api-user',
  'credential',
  'signing-key',
  'operator',
  'session',
  'invitation',
  'revocation',
  'usage',
];
const LAYERS = ['domain', 'admin', 'storage/tables', 'http/admin', 'commands'];
/** As in .oxfmtrc.json. */
const COMMENT_WIDTH = 110;
const FORBIDDEN_NAMES = new Set(
  'asked given found known told made take place way once note done slots publication'.split(' '),
);

test('src/ has main.ts and rooms, and no other file', () => {
  const entries = readdirSync(SOURCES, { withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map(({ name }) => name);
  assert.deepEqual(files, ['main.ts']);
});

test('functions are short and have at most four parameters', (context) => {
  const folder = temporaryFolder();
  const config = join(folder, 'lint.json');
  const size = (max: number) => ['error', { max, skipBlankLines: true, skipComments: true }];
  writeFileSync(
    config,
    JSON.stringify({
      plugins: ['typescript'],
      categories: { correctness: 'off' },
      rules: { 'max-lines-per-function': size(70), 'max-params': ['error', { max: 4 }] },
    }),
  );
  const findings = lintedWith(
    config,
    PACKAGES.map((name) => `packages/${name}/src`),
  );
  rmSync(folder, { recursive: true });
  const long = findings.filter(({ rule }) => rule === 'eslint(max-lines-per-function)');
  const linesOf = (message: string) => Number(/\((\d+)\)/.exec(message)?.[1]);
  const longNames = long.map(({ message, file }) => {
    const name = nameIn(message, file);
    const isFactory = FACTORIES.has(name) && linesOf(message) <= 100;
    return isFactory ? null : name;
  });
  onlyKnown(context, longNames, TOO_LONG);
  const many = findings.filter(({ rule }) => rule === 'eslint(max-params)');
  onlyKnown(
    context,
    many.map(({ message, file }) => nameIn(message, file)),
    MANY_PARAMETERS,
  );
});

/** Anonymous functions have the name of their file. */
function nameIn(message: string, file: string): string {
  return /[`'](\w+)[`']/.exec(message)?.[1] ?? basename(file);
}

test('domain/ has no clock and nothing asynchronous', (context) => {
  const impure = readdirSync(join(SOURCES, 'domain')).filter((name) =>
    /\basync\b|\bawait\b|Date\.now\(|performance\.now\(|new Date\(\)/.test(
      withoutComments(readFileSync(join(SOURCES, 'domain', name), 'utf8')),
    ),
  );
  onlyKnown(context, impure, IMPURE);
});

test('a glossary noun has its file in each layer', (context) => {
  const glossary = readFileSync(join(ROOT, 'CONTEXT.md'), 'utf8').toLowerCase();
  const missing = LAYERS.flatMap((layer) => {
    const names = readdirSync(join(SOURCES, layer), { recursive: true, encoding: 'utf8' }).map((path) =>
      basename(path).replace(/(\.routes|\.wire)?\.ts$/, ''),
    );
    return NOUNS.filter(
      (noun) => names.some((name) => name.startsWith(`${noun}-`)) && !names.includes(noun),
    ).map((noun) => `${layer}/${noun}`);
  });
  for (const noun of NOUNS) assert.ok(glossary.includes(noun.replace('-', ' ')), noun);
  onlyKnown(context, missing, UNNAMED_NOUNS);
});

test('names are nouns and verbs of the field', (context) => {
  const declared =
    /\b(?:const|let|function|interface|type|class)\s+(\w+)|[(,{]\s*(\w+)\??: |(?:\(|, )(\w+)\) =>/g;
  atMost(context, IDENTIFIERS, (text) => {
    const names = Array.from(withoutComments(text).matchAll(declared), ([, ...groups]) =>
      groups.find(Boolean),
    );
    return names.filter((name = '') => FORBIDDEN_NAMES.has(name.toLowerCase())).length;
  });
});

test('comments are no wider than the formatter makes code', (context) => {
  const wide = (line: string) =>
    /^\s*(\/\/|\/?\*)/.test(line) && line.length > COMMENT_WIDTH && !line.includes('oxlint-disable');
  atMost(context, LONG_COMMENTS, (text) => text.split('\n').filter(wide).length);
});

test('comments have no idiom that makes a reader stop', (context) => {
  const comments = /\/\*[\s\S]*?\*\/|(?:^[ \t]*\/\/.*\n)+|\/\/ .*/gm;
  atMost(context, IDIOMS, (text) => {
    const blocks = (text.match(comments) ?? []).map((block) =>
      block.replaceAll(/\s*\n\s*(\*|\/\/)?\s*/g, ' '),
    );
    return blocks.filter((block) => IDIOM.test(block)).length;
  });
});

const IDIOM = new RegExp(
  [
    String.raw`\b(whoever|nobody|told|gives? back|goes on|anew|meanwhile|but for|has it|is no|is none|as such)\b`,
    String.raw`\blooked (at|for|up to)\b|\bso (long|often|many)\b(?! that| as)|\bcomes? of\b|\ball the same\b`,
    String.raw`\bwhere (it|that|there|nothing|they|he|this|one)\b|\bof (another|which|whom|whose)\b|\bthat is there\b`,
    String.raw`\bwho (came|comes|asks|calls|has|may|can|waits|forgot|uses|gets|sees|tried|knows|are told|was)\b`,
    String.raw`\bwhat (is|was) (there|told|given|known|kept|held|made|asked|written|wrong)\b|\bfound out\b|\bby itself\b`,
  ].join('|'),
  'i',
);

/** Fails for what is not in the list; says what the list need not hold any more. */
function onlyKnown(context: TestContext, found: readonly (string | null)[], list: ReadonlySet<string>): void {
  const names = new Set(found.filter((name) => name !== null));
  assert.deepEqual(
    Array.from(names).filter((name) => !list.has(name)),
    [],
    'new breaches of the rule',
  );
  const mended = Array.from(list).filter((name) => !names.has(name));
  if (mended.length > 0) context.diagnostic(`take out of test/house/exceptions.ts: ${mended.join(' ')}`);
}

/** Fails for a package with more of what `count` counts than its entry says; says which entries may be lower. */
function atMost(
  context: TestContext,
  limits: Readonly<Record<string, number>>,
  count: (text: string) => number,
): void {
  for (const name of PACKAGES) {
    const sources = join(ROOT, 'packages', name, 'src');
    const files = readdirSync(sources, { recursive: true, encoding: 'utf8' });
    const texts = files
      .filter((file) => /\.tsx?$/.test(file))
      .map((file) => readFileSync(join(sources, file), 'utf8'));
    const number = texts.reduce((sum, text) => sum + count(text), 0);
    const limit = limits[name] ?? 0;
    assert.ok(number <= limit, `${name}: ${number} breaches of the rule, ${limit} are known`);
    if (number < limit) context.diagnostic(`lower in test/house/exceptions.ts: ${name} to ${number}`);
  }
}

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/ .*/g, '');
}
