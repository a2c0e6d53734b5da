/** About so many characters are sent at a time. */
const CHUNK = 16_384;

/** Items as JSON, a line each (NDJSON), read no faster than they are sent. */
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
