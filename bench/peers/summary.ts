// What the slices of a run add up to: medians and quartiles, and ratios of slices of the same round.
import { quantile } from '../ratios.ts';
import { LIMIT, MINTMARK } from './servers.ts';
import { THREADS, type Place, type Slice, type Thread } from './slices.ts';

/** What was measured of one server with one number of API users. */
export interface Measurement {
  name: string;
  /** From start to ready. */
  readyMs: number;
  /** After the load. */
  residentBytes: number;
  slices: Record<Place, Slice[]>;
}

export interface Population {
  apiUsers: number;
  servers: readonly Measurement[];
}

export interface Quartiles {
  first: number;
  median: number;
  third: number;
}

export interface Summary {
  name: string;
  readyMs: number;
  residentMiB: number;
  byPlace: Record<Place, PlaceSummary>;
  /** CPU microseconds for each token, with the load on a core of its own. */
  microsByThread: Record<Thread, number>;
}

export interface PlaceSummary {
  micros: Quartiles;
  /** CPU time against that of the limit in the same round. */
  ratio: Quartiles;
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
}

export function summariesOf({ servers }: Population): Summary[] {
  const limit = servers.find(({ name }) => name === LIMIT);
  if (limit === undefined) throw new Error('There is nothing to compare with.');
  return servers.map((server) => ({
    name: server.name,
    readyMs: server.readyMs,
    residentMiB: server.residentBytes / 2 ** 20,
    byPlace: { own: placeSummary(server, limit, 'own'), shared: placeSummary(server, limit, 'shared') },
    microsByThread: Object.fromEntries(
      THREADS.map((thread) => [thread, medianOf(server.slices.own, (slice) => slice.microsByThread[thread])]),
    ) as Record<Thread, number>,
  }));
}

function placeSummary(server: Measurement, limit: Measurement, place: Place): PlaceSummary {
  const slices = server.slices[place];
  const ratios = slices.map(({ micros }, round) => micros / (limit.slices[place][round]?.micros ?? NaN));
  return {
    micros: quartilesOf(slices.map(({ micros }) => micros)),
    ratio: quartilesOf(ratios),
    perSecond: medianOf(slices, ({ perSecond }) => perSecond),
    p50Ms: medianOf(slices, ({ p50Ms }) => p50Ms),
    p99Ms: medianOf(slices, ({ p99Ms }) => p99Ms),
  };
}

function quartilesOf(values: readonly number[]): Quartiles {
  const [first = NaN, median = NaN, third = NaN] = [0.25, 0.5, 0.75].map((part) => quantile(values, part));
  return { first, median, third };
}

function medianOf(slices: readonly Slice[], value: (slice: Slice) => number): number {
  return quantile(slices.map(value), 0.5);
}

type Column = [text: string, value: (summary: Summary) => number, isBetter: 'less' | 'more', unit: string];

const COLUMNS: readonly Column[] = [
  ['CPU time of a token, load on another core', ({ byPlace }) => byPlace.own.micros.median, 'less', 'µs'],
  ['CPU time of a token, load on the same core', ({ byPlace }) => byPlace.shared.micros.median, 'less', 'µs'],
  ['tokens a second, load on another core', ({ byPlace }) => byPlace.own.perSecond, 'more', ''],
  ['p50 of the time to a token, load on another core', ({ byPlace }) => byPlace.own.p50Ms, 'less', 'ms'],
  ['p99 of the time to a token, load on another core', ({ byPlace }) => byPlace.own.p99Ms, 'less', 'ms'],
  ['time from start to ready', ({ readyMs }) => readyMs, 'less', 'ms'],
  ['resident memory', ({ residentMiB }) => residentMiB, 'less', 'MiB'],
];

/** The measurements in which a server by others did as well as Mintmark, or better: a line each. */
export function notAhead(summaries: readonly Summary[]): string[] {
  const own = summaries.find(({ name }) => name === MINTMARK);
  if (own === undefined) throw new Error('Mintmark was not measured.');
  const others = summaries.filter(({ name }) => name !== MINTMARK && name !== LIMIT);
  return COLUMNS.flatMap(([text, value, isBetter, unit]) => {
    const ours = value(own);
    const better = others.filter((other) =>
      isBetter === 'less' ? value(other) <= ours : value(other) >= ours,
    );
    if (better.length === 0) return [];
    const figure = (each: Summary): string => `${rounded(value(each))}${unit && ` ${unit}`}`;
    const list = better.map((other) => `${other.name} ${figure(other)}`).join(', ');
    return [`${text}: ${list}; Mintmark ${figure(own)}`];
  });
}

export function rounded(value: number): string {
  return value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);
}
