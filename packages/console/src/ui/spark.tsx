import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { plural, sum, whole } from '../format.ts';

const WIDTH = 112;
const HEIGHT = 28;

/** Tokens of the last 24 hours, in the size of a word. */
export function Spark({ counts }: { counts: readonly number[] | undefined }): JSX.Element {
  const holder = useRef<HTMLDivElement>(null);
  const total = sum(counts ?? []);
  useEffect(() => {
    const element = holder.current;
    if (element === null || counts === undefined || total === 0) return undefined;
    const stroke = getComputedStyle(element).color;
    const plot = new uPlot(
      {
        width: WIDTH,
        height: HEIGHT,
        padding: [2, 1, 2, 1],
        legend: { show: false },
        cursor: { show: false },
        axes: [{ show: false }, { show: false }],
        scales: { x: { time: false }, y: { range: (_plot, _min, max) => [0, max || 1] } },
        series: [{}, { stroke, width: 1.5, points: { show: false } }],
      },
      [counts.map((_count, i) => i), [...counts]],
      element,
    );
    return () => plot.destroy();
  }, [counts, total]);
  if (counts === undefined) return <div class="spark" />;
  if (total === 0) return <div class="spark flat">no tokens</div>;
  const label = `${plural(total, 'token')} in 24 hours, ${whole(Math.max(...counts))} in the busiest`;
  return <div class="spark" ref={holder} role="img" aria-label={label} title={label} />;
}
