// Loaded into a server that is counted: prints the bytes that its main thread has allocated, at each SIGUSR2.
import { writeSync } from 'node:fs';
import { getHeapStatistics } from 'node:v8';

process.on('SIGUSR2', () => {
  // V8 counts the bytes of the young generation when it collects them. A whole collection would discard code.
  (globalThis as { gc?: (options: { type: 'minor' }) => void }).gc?.({ type: 'minor' });
  const { total_allocated_bytes: bytes } = getHeapStatistics() as unknown as Record<string, number>;
  writeSync(2, `allocated bytes: ${bytes}\n`);
});
