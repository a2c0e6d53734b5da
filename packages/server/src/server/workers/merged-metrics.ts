/**
 * Merges the metrics of several processes, whose series differ in a label: each metric is described once,
 * with all its series under it.
 */
export function mergedMetrics(texts: readonly string[]): string {
  const merged = new Map<string, { head: string[]; series: string[] }>();
  for (const text of texts) {
    for (const block of text.split('\n\n')) {
      const lines = block.split('\n').filter((line) => line !== '');
      const head = lines.filter((line) => line.startsWith('#'));
      const name = head[0]?.split(' ', 3)[2];
      if (name === undefined) continue;
      const metric = merged.get(name) ?? { head, series: [] };
      metric.series.push(...lines.filter((line) => !line.startsWith('#')));
      merged.set(name, metric);
    }
  }
  const blocks = Array.from(merged.values(), ({ head, series }) => [...head, ...series].join('\n'));
  return `${blocks.join('\n\n')}\n`;
}
