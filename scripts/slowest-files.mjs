// A reporter for node:test that lists the slowest files at the end.
import { relative } from 'node:path';

const FILES_SHOWN = 12;

export default async function* slowestFiles(events) {
  const files = [];
  for await (const { type, data } of events) {
    if (type === 'test:summary' && data.file !== undefined) files.push([data.file, data.duration_ms / 1000]);
  }
  if (files.length < 2) return;
  files.sort(([, a], [, b]) => b - a);
  const all = files.reduce((sum, [, seconds]) => sum + seconds, 0);
  yield `\nThe slowest of ${files.length} files, which took ${all.toFixed(0)} s one by one:\n`;
  for (const [file, seconds] of files.slice(0, FILES_SHOWN)) {
    yield `${seconds.toFixed(1).padStart(7)} s  ${relative('.', file)}\n`;
  }
}
