import type { JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { clock, clockSeconds, compact, day, exactTime, sum, whole } from '../format.ts';

export interface Series {
  label: string;
  /** One of the charts' six colours. */
  colour: 1 | 2 | 3 | 4 | 5 | 6;
  values: readonly (number | null)[];
}

export interface ChartProps {
  /** Description of the chart. */
  label: string;
  /** Milliseconds since 1970, ascending; one per value of each series. */
  times: readonly number[];
  series: readonly Series[];
  kind?: 'lines' | 'bars';
  format?: (value: number) => string;
  /** Range of the time axis. Default: the values' own. */
  span?: readonly [from: number, to: number];
  /** The values are counts: the axis has no fractions, the legend shows sums. Null means unknown. */
  counts?: boolean;
  /** Offers a table of the values. Not for charts that change every second. */
  table?: boolean;
}

const HEIGHT = 190;
const TABLE_ROWS_MAX = 100;

export function Chart(props: ChartProps): JSX.Element {
  const { label, times, series, format = compact, table = false, counts = false } = props;
  const [hovered, setHovered] = useState<number | null>(null);
  const holder = useRef<HTMLDivElement>(null);
  usePlot(holder, props, setHovered);
  const shown = hovered !== null && hovered < times.length ? hovered : times.length - 1;
  const shownAt = times[shown];
  return (
    <figure class="chart">
      <ul class="legend">
        {series.map(({ label: name, colour, values }) => (
          <li key={name}>
            <span class={`swatch swatch-${colour}`} aria-hidden="true" />
            {name}{' '}
            <strong class="number">
              {hovered === null ? overall(values, counts, format) : text(values[shown], counts, format)}
            </strong>
          </li>
        ))}
        {hovered !== null && shownAt !== undefined && <li class="soft number">{exactTime(shownAt)}</li>}
      </ul>
      <div
        class="chart-plot"
        ref={holder}
        role="img"
        aria-label={`${label}. ${summary(series, counts, format)}`}
      />
      {table && times.length > 0 && (
        <details class="small">
          <summary>As a table</summary>
          <ChartTable {...props} format={format} />
        </details>
      )}
    </figure>
  );
}

function ChartTable({ label, times, series, format = compact, counts = false }: ChartProps): JSX.Element {
  const from = Math.max(0, times.length - TABLE_ROWS_MAX);
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={label}>
      <table class="numbers">
        <thead>
          <tr>
            <th scope="col">Time</th>
            {series.map((one) => (
              <th scope="col" key={one.label}>
                {one.label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {times.slice(from).map((at, i) => (
            <tr key={at}>
              <th scope="row">{exactTime(at)}</th>
              {series.map((one) => (
                <td key={one.label}>{text(one.values[from + i], counts, format)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Draws a plot in `holder`. New series or colours create a new plot; new values update it. */
function usePlot(
  holder: { current: HTMLDivElement | null },
  { times, series, kind = 'lines', format = compact, counts = false, span }: ChartProps,
  onHover: (index: number | null) => void,
): void {
  const plot = useRef<uPlot | null>(null);
  const scheme = useScheme();
  const [from, to] = span ?? [null, null];
  const data = useMemo(
    () => [times.map((time) => time / 1000), ...series.map(({ values }) => [...values])] as uPlot.AlignedData,
    [times, series],
  );
  const shape = JSON.stringify([kind, counts, scheme, ...series.map(({ label, colour }) => [label, colour])]);
  const latest = useRef({ data, format });
  latest.current = { data, format };

  useEffect(() => {
    const element = holder.current;
    if (element === null) return undefined;
    const [kindNow, countsNow, , ...names] = JSON.parse(shape) as [
      'lines' | 'bars',
      boolean,
      string,
      ...[string, number][],
    ];
    const options = optionsOf(element, {
      names,
      kind: kindNow,
      counts: countsNow,
      format: (value) => latest.current.format(value),
      onHover,
    });
    const chart = new uPlot(options, latest.current.data, element);
    plot.current = chart;
    const observer = new ResizeObserver(() => chart.setSize({ width: element.clientWidth, height: HEIGHT }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      chart.destroy();
      plot.current = null;
    };
  }, [holder, shape, onHover]);

  useEffect(() => {
    const shown = plot.current;
    if (shown === null) return;
    shown.setData(data, false);
    const [first, last] = [data[0][0] ?? 0, data[0].at(-1) ?? 1];
    shown.setScale('x', { min: from === null ? first : from / 1000, max: to === null ? last : to / 1000 });
  }, [data, from, to, shape]);
}

interface Looks {
  names: readonly [label: string, colour: number][];
  kind: 'lines' | 'bars';
  counts: boolean;
  format: (value: number) => string;
  onHover: (index: number | null) => void;
}

/** Steps of an axis for counts. */
const WHOLE_STEPS = [1, 2, 5]
  .flatMap((digit) => Array.from({ length: 9 }, (_, i) => digit * 10 ** i))
  .sort((a, b) => a - b);

function optionsOf(element: HTMLElement, { names, kind, counts, format, onHover }: Looks): uPlot.Options {
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const axis = {
    stroke: resolved(element, '--text-soft'),
    font: `12px ${colour('--font')}`,
    grid: { stroke: resolved(element, '--line'), width: 1 },
    ticks: { show: false },
  };
  const bars = uPlot.paths.bars?.({ size: [0.75, 48], radius: 0.15 });
  return {
    width: element.clientWidth,
    height: HEIGHT,
    padding: [8, 24, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
    scales: { y: { range: (_plot, _min, max) => [0, max > 0 ? max * 1.1 : 1] } },
    axes: [
      {
        ...axis,
        size: 26,
        space: 64,
        values: (_plot, splits) => splits.map((split, i) => tick(split, splits[i - 1])),
      },
      {
        ...axis,
        size: 62,
        ...(counts && { incrs: WHOLE_STEPS }),
        values: (_plot, splits) => splits.map((split) => (Number.isFinite(split) ? format(split) : '')),
      },
    ],
    series: [
      {},
      ...names.map(([label, number], i) => {
        const stroke = resolved(element, `--series-${number}`);
        return {
          label,
          stroke,
          width: 2,
          points: { show: false, size: 6, fill: stroke, filter: alone },
          ...(i === 0 && { fill: translucent(stroke) }),
          ...(kind === 'bars' && bars !== undefined && { paths: bars, width: 0, fill: stroke }),
        };
      }),
    ],
    hooks: { setCursor: [(plot) => onHover(plot.cursor.idx ?? null)] },
  };
}

/** Points without a neighbour, which no line shows. */
function alone(plot: uPlot, seriesIndex: number): number[] {
  const values = plot.data[seriesIndex] ?? [];
  const isKnown = (i: number) => values[i] !== null && values[i] !== undefined;
  return Array.from(values.keys()).filter((i) => isKnown(i) && !isKnown(i - 1) && !isKnown(i + 1));
}

/** Resolves a custom property to a colour, because a canvas does not support light-dark(). */
function resolved(element: HTMLElement, property: string): string {
  const probe = document.createElement('span');
  probe.style.color = `var(${property})`;
  element.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

function translucent(rgb: string): string {
  return rgb.replace(/^rgb\((.*)\)$/, 'rgba($1, 0.14)');
}

function tick(seconds: number, before: number | undefined): string {
  const at = new Date(seconds * 1000);
  if (before !== undefined && seconds - before >= 86_400) return day(at.getTime());
  if (at.getHours() === 0 && at.getMinutes() === 0 && at.getSeconds() === 0) return day(at.getTime());
  return at.getSeconds() === 0 ? clock(at.getTime()) : clockSeconds(at.getTime());
}

/** Re-renders when the system changes between light and dark. */
function useScheme(): string {
  const dark = useMemo(() => matchMedia('(prefers-color-scheme: dark)'), []);
  const [scheme, setScheme] = useState(dark.matches ? 'dark' : 'light');
  useEffect(() => {
    const follow = () => setScheme(dark.matches ? 'dark' : 'light');
    dark.addEventListener('change', follow);
    return () => dark.removeEventListener('change', follow);
  }, [dark]);
  return scheme;
}

function text(value: number | null | undefined, counts: boolean, format: (value: number) => string): string {
  if (value === null || value === undefined) return counts ? 'unknown' : 'no request';
  return format(value);
}

/** Of the time shown: the sum of counts, or the latest of other values. */
function overall(
  values: readonly (number | null)[],
  counts: boolean,
  format: (value: number) => string,
): string {
  const numbers = values.filter((value) => value !== null);
  return text(counts && numbers.length > 0 ? sum(numbers) : numbers.at(-1), counts, counts ? whole : format);
}

function summary(series: readonly Series[], counts: boolean, format: (value: number) => string): string {
  return series
    .map(({ label, values }) => {
      const highest = values.reduce<number>((most, value) => Math.max(most, value ?? 0), 0);
      const all = overall(values, counts, format);
      return `${label}: ${all} ${counts ? 'in all' : 'lately'}, ${format(highest)} at most`;
    })
    .join('; ');
}
