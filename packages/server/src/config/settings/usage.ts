import { networkList } from '../setting-values.ts';
import { setting, whole, type Setting } from '../setting.ts';

/** The settings of what is counted; a part of `Config`. */
export interface UsageConfig {
  readonly usageFlushMs: number;
  readonly usageMax: number;
  readonly usageMinutesKeptHours: number;
  readonly usageHoursKeptDays: number;
  readonly usageDaysKept: number;
  readonly liveStreamsMax: number;
  readonly metricsNetworks: readonly string[];
}

export const USAGE_SETTINGS: { readonly [K in keyof UsageConfig]: Setting<UsageConfig[K]> } = {
  usageFlushMs: whole(
    'USAGE_FLUSH',
    '<ms>',
    10_000,
    100,
    60_000,
    'How often usage is written: tokens and refusals of API users, last use and count of credentials.',
  ),
  usageMax: whole(
    'USAGE_MAX',
    '<number>',
    200_000,
    1000,
    1e7,
    'Most credentials whose use waits to be written.',
  ),
  usageMinutesKeptHours: whole(
    'USAGE_MINUTES_KEPT',
    '<hours>',
    3,
    2,
    168,
    'Usage is told by the minute for this time.',
  ),
  usageHoursKeptDays: whole(
    'USAGE_HOURS_KEPT',
    '<days>',
    7,
    2,
    400,
    'Usage is told by the hour for this time.',
  ),
  liveStreamsMax: whole(
    'LIVE_STREAMS_MAX',
    '<number>',
    100,
    0,
    10_000,
    'Most streams of events that consoles follow at a time; the excess gets 503.',
  ),
  metricsNetworks: setting(
    'METRICS_NETWORKS',
    'metrics-networks',
    '<networks>',
    '127.0.0.1,::1',
    'Comma-separated networks from which /metrics may be read; empty: from nowhere.',
    networkList,
  ),
  usageDaysKept: whole('USAGE_DAYS_KEPT', '<days>', 400, 7, 3650, 'Usage is told by the day for this time.'),
};
