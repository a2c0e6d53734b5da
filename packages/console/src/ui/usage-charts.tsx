import type { ComponentChildren, JSX } from 'preact';
import { useMemo } from 'preact/hooks';
import { withQuery } from '../api/client.ts';
import type { UsageUnit } from '../../../server/src/domain/usage.ts';
import type { UsageJson } from '../../../server/src/http/admin/usage.wire.ts';
import { DAY_MS, dateTime, sum } from '../format.ts';
import { connection } from '../state/connection.ts';
import { useResource, type Resource } from '../state/resource.ts';
import { useStore } from '../state/store.ts';
import type { SeenMinutes } from '../state/uses.ts';
import { Chart, type Series } from './chart.tsx';
import { Segments } from './field.tsx';
import { Loaded } from './loaded.tsx';
import { reasonText } from './reasons.ts';

/** The charts' time span: live, or stored usage. */
export type Span = 'live' | 'hour' | 'day' | 'month';
export type PastSpan = Exclude<Span, 'live'>;

const PAST_SPANS = [
  { value: 'hour', text: '3 h' },
  { value: 'day', text: '48 h' },
  { value: 'month', text: '90 days' },
] as const;
const SPANS = [{ value: 'live', text: 'Live' }, ...PAST_SPANS] as const;

export function SpanField({ span, onInput }: { span: Span; onInput: (span: Span) => void }): JSX.Element {
  return <Segments<Span> label="Time span" value={span} options={SPANS} onInput={onInput} />;
}

/** For usage without live counts. */
export function PastSpanField(props: { span: PastSpan; onInput: (span: PastSpan) => void }): JSX.Element {
  return (
    <Segments<PastSpan> label="Time span" value={props.span} options={PAST_SPANS} onInput={props.onInput} />
  );
}

const HISTORY: Record<PastSpan, { unit: UsageUnit; ms: number; word: string; text: string }> = {
  hour: { unit: 'minute', ms: 3 * 3_600_000, word: 'minute', text: 'the last 3 hours' },
  day: { unit: 'hour', ms: 2 * DAY_MS, word: 'hour', text: 'the last 48 hours' },
  month: { unit: 'day', ms: 90 * DAY_MS, word: 'day', text: 'the last 90 days' },
};

const AGAIN_MS = 30_000;
/** For the last hour, which updates live. */
const AGAIN_LIVE_MS = 5000;

/** Stored usage of the API user, or of all, at `path`. */
export function PastUsage({ path, span }: { path: string; span: PastSpan }): JSX.Element {
  const { unit, ms, word, text } = HISTORY[span];
  const usage = useUsage(path, unit, ms, AGAIN_MS);
  return (
    <CountedCharts usage={usage}>
      {(data) => <UsageCharts points={pointsOf(data, ms, usage)} each={word} span={text} kind="bars" table />}
    </CountedCharts>
  );
}

/** Counts per minute of the last hour, with live uses that are not stored yet. */
export function RecentUsage({ path, seen }: { path: string; seen: SeenMinutes }): JSX.Element {
  const usage = useUsage(path, 'minute', 3_600_000, AGAIN_LIVE_MS);
  return (
    <CountedCharts usage={usage}>
      {(data) => {
        const points = pointsOf(data, 3_600_000, usage).map((point) => withSeen(point, seen.get(point.at)));
        return <UsageCharts points={points} each="minute" span="the last hour" kind="bars" />;
      }}
    </CountedCharts>
  );
}

function CountedCharts(props: {
  usage: Counted;
  children: (data: UsageJson) => ComponentChildren;
}): JSX.Element {
  const { usage, children } = props;
  return (
    <>
      <Loaded from={usage} size="tall">
        {children}
      </Loaded>
      {usage.data === undefined && usage.error !== undefined && (
        <p class="soft nothing">Unknown: the server has not answered.</p>
      )}
    </>
  );
}

interface Counted extends Resource<UsageJson> {
  /** The last request failed: counts since then are unknown. */
  isOld: boolean;
}

function useUsage(path: string, unit: UsageUnit, ms: number, everyMs: number): Counted {
  const isAway = useStore(connection) === 'offline';
  const from = useMemo(() => new Date(Date.now() - ms).toISOString(), [ms]);
  const usage = useResource<UsageJson>(withQuery(path, { unit, from }), [], everyMs);
  return { ...usage, isOld: isAway || usage.error !== undefined };
}

/** One unit's counts; null: unknown. */
export interface UsageMoment {
  at: number;
  tokens: number | null;
  refusals: Readonly<Record<string, number>> | null;
}

const UNIT_MS: Readonly<Record<UsageUnit, number>> = { minute: 60_000, hour: 3_600_000, day: DAY_MS };

/** The points of the last `ms`. During an outage, the time since the last response is unknown. */
function pointsOf({ unit, points }: UsageJson, ms: number, { isOld }: Counted): UsageMoment[] {
  const from = Date.now() - ms - UNIT_MS[unit];
  const moments = points.map(({ at, tokens, refusals }) => ({ at: Date.parse(at), tokens, refusals }));
  const shown: UsageMoment[] = moments.filter(({ at }) => at > from);
  if (!isOld) return shown;
  const last = shown.at(-1)?.at ?? from;
  for (let at = last + UNIT_MS[unit]; at <= Date.now(); at += UNIT_MS[unit]) shown.push(unknownAt(at));
  // The last unit is known only in part, so it counts as unknown.
  return shown.map((point) => (point.at === last ? unknownAt(last) : point));
}

function unknownAt(at: number): UsageMoment {
  return { at, tokens: null, refusals: null };
}

/** Takes the larger count: the stored one covers all processes, the live one is newer. */
function withSeen(point: UsageMoment, seen: ReturnType<SeenMinutes['get']>): UsageMoment {
  if (seen === undefined || point.tokens === null || point.refusals === null) return point;
  const refusals = { ...point.refusals };
  for (const [reason, count] of Object.entries(seen.refusals)) {
    refusals[reason] = Math.max(refusals[reason] ?? 0, count);
  }
  return { at: point.at, tokens: Math.max(point.tokens, seen.tokens), refusals };
}

/** Maximum number of reasons with a colour of their own; the rest is summed up. */
const REASONS_MAX = 4;

/** Charts of tokens and of refusals by reason, side by side. */
export function UsageCharts(props: {
  points: readonly UsageMoment[];
  each: string;
  kind: 'lines' | 'bars';
  /** The time span of the sums, as text. */
  span: string;
  axis?: readonly [number, number];
  table?: boolean;
}): JSX.Element {
  const { points, each, kind, span, axis, table = false } = props;
  const times = points.map(({ at }) => at);
  const tokens: Series[] = [{ label: 'Tokens', colour: 1, values: points.map((point) => point.tokens) }];
  const refusals = refusalSeries(points);
  const knownCount = points.filter((point) => point.refusals !== null).length;
  const shared = { times, kind, table, counts: true, ...(axis !== undefined && { span: axis }) };
  return (
    <>
      <div class="halves">
        <Chart label={`Tokens per ${each}`} series={tokens} {...shared} />
        {refusals.length === 0 ? (
          <p class="soft nothing">
            {knownCount === 0
              ? 'Unknown: the server has not answered yet.'
              : knownCount < points.length
                ? 'No known refusals, but part of this time is unknown.'
                : 'No refusals.'}
          </p>
        ) : (
          <Chart label={`Refusals by reason per ${each}`} series={refusals} {...shared} kind="lines" />
        )}
      </div>
      <p class="soft small">
        Sums of {span}.
        {knownCount < points.length && (
          <> Unknown, and not in the sums: {unknownText(points)}, when the server could not be reached.</>
        )}
      </p>
    </>
  );
}

function unknownText(points: readonly UsageMoment[]): string {
  const unknown = points.filter(({ refusals }) => refusals === null);
  const [first, last] = [unknown[0]?.at ?? 0, points[points.indexOf(unknown.at(-1) as UsageMoment) + 1]?.at];
  return last === undefined ? `since ${dateTime(first)}` : `${dateTime(first)} to ${dateTime(last)}`;
}

function refusalSeries(points: readonly UsageMoment[]): Series[] {
  const totals = new Map<string, number>();
  for (const { refusals } of points) {
    for (const [reason, count] of Object.entries(refusals ?? {}))
      totals.set(reason, (totals.get(reason) ?? 0) + count);
  }
  const reasons = [...totals].sort(([, a], [, b]) => b - a).map(([reason]) => reason);
  const own = reasons.length > REASONS_MAX + 1 ? reasons.slice(0, REASONS_MAX) : reasons;
  const others = reasons.slice(own.length);
  const colours = [2, 3, 4, 5, 6] as const;
  const series: Series[] = own.map((reason, i) => ({
    label: reasonText(reason),
    colour: colours[i] ?? 6,
    values: points.map(({ refusals }) => refusals && (refusals[reason] ?? 0)),
  }));
  if (others.length === 0) return series;
  const values = points.map(({ refusals }) => refusals && sum(others.map((reason) => refusals[reason] ?? 0)));
  return [...series, { label: 'other reasons', colour: 6, values }];
}
