/** A line of a text that arrives in pieces. */
export interface TextLine {
  /** The number of the line, from 1. */
  n: number;
  /** The text of the line, or why it cannot be read. */
  text: string | { problem: string };
}

const LINE_END = 0x0a;

/** The lines of a text, with or without a final line break. Keeps at most `bytesMax` bytes of a line. */
export async function* textLines(
  pieces: AsyncIterable<Buffer | string>,
  bytesMax: number,
): AsyncGenerator<TextLine, void, undefined> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let kept: Buffer[] = [];
  let length = 0;
  let n = 0;

  function append(part: Buffer): void {
    length += part.length;
    if (length <= bytesMax) kept.push(part);
    else kept = [];
  }

  function line(): TextLine {
    n += 1;
    const text =
      length > bytesMax
        ? { problem: `The line is longer than ${bytesMax} bytes.` }
        : decoded(decoder, Buffer.concat(kept));
    kept = [];
    length = 0;
    return { n, text };
  }

  for await (const piece of pieces) {
    const bytes = typeof piece === 'string' ? Buffer.from(piece) : piece;
    let from = 0;
    for (let end = bytes.indexOf(LINE_END); end >= 0; end = bytes.indexOf(LINE_END, from)) {
      append(bytes.subarray(from, end));
      from = end + 1;
      yield line();
    }
    append(bytes.subarray(from));
  }
  if (length > 0) yield line();
}

function decoded(decoder: TextDecoder, bytes: Buffer): TextLine['text'] {
  try {
    return decoder.decode(bytes);
  } catch {
    return { problem: 'The line is not UTF-8: encode it as such.' };
  }
}
