import type { JSX } from 'preact';
import { useMemo } from 'preact/hooks';
import { withQuery } from '../api/client.ts';
import type { Usage, UsagePoint, UsageUnit } from '../api/types.ts';
import { DAY_MS, plural, sum } from '../format.ts';
import { useResource } from '../state/resource.ts';
import { Chart, type Series } from './chart.tsx';
import { Segments } from './field.tsx';
import { Loaded } from './loaded.tsx';
import { reasonText } from './reasons.ts';

/** What the charts show: what happens, or what was counted. */
export type Span = 'live' | 'hour' | 'day' | 'month';
export type PastSpan = Exclude<Span, 'live'>;

const SPANS = [
  { value: 'live', text: 'Live' },
  { value: 'hour', text: '3 h' },
  { value: 'day', text: '48 h' },
  { value: 'month', text: '90 days' },
] as const;

export function SpanField({ span, onInput }: { span: Span; onInput: (span: Span) => void }): JSX.Element {
  return <Segments<Span> label="Time span" value={span} options={SPANS} onInput={onInput} />;
}

const HISTORY: Record<PastSpan, { unit: UsageUnit; ms: number; word: string }> = {
  hour: { unit: 'minute', ms: 3 * 3_600_000, word: 'minute' },
  day: { unit: 'hour', ms: 2 * DAY_MS, word: 'hour' },
  month: { unit: 'day', ms: 90 * DAY_MS, word: 'day' },
};

const AGAIN_MS = 30_000;

/** What was counted, of one API user or of all, as `path` says. */
export function PastUsage({ path, span }: { path: string; span: PastSpan }): JSX.Element {
  const { unit, ms, word } = HISTORY[span];
  const from = useMemo(() => new Date(Date.now() - ms).toISOString(), [ms]);
  const usage = useResource<Usage>(withQuery(path, { unit, from }), [], AGAIN_MS);
  return (
    <Loaded from={usage} size="tall">
      {({ points }) => <UsageCharts points={points.map(pointOf)} each={word} kind="bars" table />}
    </Loaded>
  );
}

export interface UsageMoment {
  at: number;
  tokens: number;
  refusals: Readonly<Record<string, number>>;
}

function pointOf({ at, tokens, refusals }: UsagePoint): UsageMoment {
  return { at: Date.parse(at), tokens, refusals };
}

/** As many reasons as there are colours that are told apart; the others are one. */
const REASONS_MAX = 4;

/** Tokens, and refusals by reason, side by side. */
export function UsageCharts(props: {
  points: readonly UsageMoment[];
  each: string;
  kind: 'lines' | 'bars';
  span?: readonly [number, number];
  table?: boolean;
}): JSX.Element {
  const { points, each, kind, span, table = false } = props;
  const times = points.map(({ at }) => at);
  const tokens: Series[] = [{ label: 'Tokens', colour: 1, values: points.map((point) => point.tokens) }];
  const refusals = refusalSeries(points);
  const shared = { times, kind, table, counts: true, ...(span !== undefined && { span }) };
  return (
    <div class="halves">
      <Chart label={`Tokens each ${each}`} series={tokens} {...shared} />
      {refusals.length === 0 ? (
        <p class="soft nothing">Nothing was refused.</p>
      ) : (
        <Chart label={`Refusals by reason each ${each}`} series={refusals} {...shared} kind="lines" />
      )}
      <p class="unseen">
        {plural(sum(points.map((point) => point.tokens)), 'token')} in all. Refused:{' '}
        {refusals
          .map(({ label, values }) => `${label} ${sum(values.map((value) => value ?? 0))}`)
          .join(', ') || 'nothing'}
        .
      </p>
    </div>
  );
}

function refusalSeries(points: readonly UsageMoment[]): Series[] {
  const totals = new Map<string, number>();
  for (const { refusals } of points) {
    for (const [reason, count] of Object.entries(refusals))
      totals.set(reason, (totals.get(reason) ?? 0) + count);
  }
  const reasons = [...totals].sort(([, a], [, b]) => b - a).map(([reason]) => reason);
  const own = reasons.length > REASONS_MAX + 1 ? reasons.slice(0, REASONS_MAX) : reasons;
  const others = reasons.slice(own.length);
  const colours = [2, 3, 4, 5, 6] as const;
  const series: Series[] = own.map((reason, i) => ({
    label: reasonText(reason),
    colour: colours[i] ?? 6,
    values: points.map(({ refusals }) => refusals[reason] ?? 0),
  }));
  if (others.length === 0) return series;
  const values = points.map(({ refusals }) => sum(others.map((reason) => refusals[reason] ?? 0)));
  return [...series, { label: 'other reasons', colour: 6, values }];
}
