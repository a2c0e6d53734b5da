import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { textLines, type TextLine } from '../../src/lib/text-lines.ts';

async function linesOf(pieces: Iterable<Buffer | string>, bytesMax = 1000): Promise<TextLine[]> {
  const lines: TextLine[] = [];
  for await (const line of textLines(piecesOf(pieces), bytesMax)) lines.push(line);
  return lines;
}

async function* piecesOf(pieces: Iterable<Buffer | string>): AsyncGenerator<Buffer | string> {
  yield* pieces;
}

test('lines arrive unchanged however the text was cut', async () => {
  const line = fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll('\n', ' '));
  await fc.assert(
    fc.asyncProperty(fc.array(line), fc.array(fc.nat(64)), fc.boolean(), async (texts, cuts, ends) => {
      const bytes = Buffer.from(texts.join('\n') + (ends ? '\n' : ''));
      const pieces: Buffer[] = [];
      let from = 0;
      for (const cut of cuts) {
        pieces.push(bytes.subarray(from, from + cut));
        from += cut;
      }
      pieces.push(bytes.subarray(from));
      const found = await linesOf(pieces, 10_000);
      const expected = bytes.toString().split('\n');
      if (expected.at(-1) === '') expected.pop();
      assert.deepEqual(
        found.map(({ text }) => text),
        expected,
      );
      assert.deepEqual(
        found.map(({ n }) => n),
        Array.from(found.keys(), (i) => i + 1),
      );
    }),
  );
});

test('a line too long or not UTF-8 is reported, the next read', async () => {
  const long = 'x'.repeat(11);
  assert.deepEqual(await linesOf(['ok\n', long.slice(0, 6), long.slice(6), '\nok'], 10), [
    { n: 1, text: 'ok' },
    { n: 2, text: { problem: 'The line is longer than 10 bytes.' } },
    { n: 3, text: 'ok' },
  ]);
  assert.deepEqual(await linesOf([Buffer.from([0xff, 0x0a]), 'ok']), [
    { n: 1, text: { problem: 'The line is not UTF-8: encode it as such.' } },
    { n: 2, text: 'ok' },
  ]);
  assert.deepEqual(await linesOf([]), []);
});
