/** A chunk has at least this many characters, unless it is the last. */
const CHUNK = 16_384;

/** Writes items as JSON, one per line (NDJSON). It reads them no faster than the client receives them. */
export async function* inLines<T>(
  items: AsyncIterable<T>,
  jsonOf: (item: T) => unknown,
): AsyncGenerator<string> {
  let chunk = '';
  for await (const item of items) {
    chunk += `${JSON.stringify(jsonOf(item))}\n`;
    if (chunk.length < CHUNK) continue;
    yield chunk;
    chunk = '';
  }
  if (chunk !== '') yield chunk;
}
