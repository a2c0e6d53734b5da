import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { RatesEventJson } from '../../../server/src/http/admin/event.wire.ts';
import type { AttentionJson, OverviewJson } from '../../../server/src/http/admin/overview.wire.ts';
import { cut, duration, milliseconds, rate, sum, whole } from '../format.ts';
import { paths } from '../paths.ts';
import { useNow } from '../state/clock.ts';
import { lastRateAt, rates } from '../state/live.ts';
import { useResource } from '../state/resource.ts';
import { liveSpan } from '../state/uses.ts';
import { useMay } from '../state/session.ts';
import { useStore } from '../state/store.ts';
import { Badge, type BadgeKind } from '../ui/badge.tsx';
import { LinkButton } from '../ui/button.tsx';
import { Chart } from '../ui/chart.tsx';
import { Icon } from '../ui/icon.tsx';
import { KeySchedule } from '../ui/key-schedule.tsx';
import { Loaded } from '../ui/loaded.tsx';
import { Empty } from '../ui/notice.tsx';
import { Card, Page } from '../ui/page.tsx';
import { LiveMark } from '../ui/shell.tsx';
import { reasonText } from '../ui/reasons.ts';
import { Ago } from '../ui/time.tsx';
import { PastUsage, SpanField, UsageCharts, type Span, type UsageMoment } from '../ui/usage-charts.tsx';

const AGAIN_MS = 15_000;
/** The tiles show the mean of this many seconds. */
const TILE_SECONDS = 10;

export function OverviewPage(): JSX.Element {
  const overview = useResource<OverviewJson>('/overview', [{ noun: '*' }], AGAIN_MS);
  const seconds = useStore(rates);
  // Data from before an outage no longer holds.
  const isOld = overview.error !== undefined;
  return (
    <Page title="Overview" actions={<LiveMark />}>
      <Loaded from={overview} size="tall">
        {(data) => (
          <>
            <Tiles overview={data} seconds={seconds} isOld={isOld} />
            {data.api_users !== null && data.api_users.total <= 1 && <FirstSteps />}
            <Attentions items={data.attention} isOld={isOld} />
          </>
        )}
      </Loaded>
      <Use seconds={seconds} />
      <div class="halves">
        <Latency seconds={seconds} />
        <Card
          title="Signing keys"
          actions={
            <a class="small" href={paths.signingKeys}>
              All keys and their schedule
            </a>
          }
        >
          {overview.data !== undefined && (
            <KeySchedule keys={overview.data.signing_keys.filter(({ proven }) => proven)} />
          )}
        </Card>
      </div>
      {overview.data !== undefined && (
        <p class="soft small">
          Mintmark {overview.data.version}, this process up for{' '}
          {duration(overview.data.uptime_seconds * 1000)}.
        </p>
      )}
    </Page>
  );
}

function Tiles(props: {
  overview: OverviewJson;
  seconds: readonly RatesEventJson[];
  isOld: boolean;
}): JSX.Element {
  const { overview, seconds, isOld } = props;
  if (isOld) return <UnknownTiles />;
  const { tokens, refusals, latency } = latest(overview, seconds);
  return (
    <dl class="tiles">
      <div class="tile">
        <dt>Tokens per second</dt>
        <dd>{rate(tokens)}</dd>
        <dd>{rate(overview.tokens_per_second)} in the last minute</dd>
      </div>
      <div class="tile">
        <dt>Refusals per second</dt>
        <dd>{rate(refusals)}</dd>
        <dd>{rate(overview.refusals_per_second)} in the last minute</dd>
      </div>
      <div class="tile">
        <dt>Time per token</dt>
        <dd>{milliseconds(latency.p50)}</dd>
        <dd>99 of 100 within {milliseconds(latency.p99)}</dd>
      </div>
      <div class="tile">
        <dt>API users</dt>
        <ApiUserCounts counts={overview.api_users} />
      </div>
    </dl>
  );
}

function UnknownTiles(): JSX.Element {
  return (
    <dl class="tiles">
      {['Tokens per second', 'Refusals per second', 'Time per token', 'API users'].map((name) => (
        <div class="tile" key={name}>
          <dt>{name}</dt>
          <dd>unknown</dd>
          <dd>the server did not answer</dd>
        </div>
      ))}
    </dl>
  );
}

function ApiUserCounts({ counts }: { counts: OverviewJson['api_users'] }): JSX.Element {
  if (counts === null) {
    return (
      <>
        <dd aria-label="not known yet">…</dd>
        <dd>not counted yet</dd>
      </>
    );
  }
  const { total, enabled, active_24h: active } = counts;
  return (
    <>
      <dd>{whole(total)}</dd>
      <dd>
        {whole(active)} active in 24 h{enabled < total && <>, {whole(total - enabled)} disabled</>}
      </dd>
    </>
  );
}

function latest(
  overview: OverviewJson,
  seconds: readonly RatesEventJson[],
): { tokens: number; refusals: number; latency: { p50: number | null; p99: number | null } } {
  const last = seconds.slice(-TILE_SECONDS);
  if (last.length === 0) {
    return {
      tokens: overview.tokens_per_second,
      refusals: overview.refusals_per_second,
      latency: overview.latency_ms,
    };
  }
  return {
    tokens: sum(last.map(({ tokens }) => tokens)) / last.length,
    refusals: sum(last.map(({ refusals }) => sum(Object.values(refusals)))) / last.length,
    latency: overview.latency_ms,
  };
}

/** Next steps, while there are no API users besides the first start's. */
function FirstSteps(): JSX.Element {
  const mayWrite = useMay('operator');
  return (
    <section class="card">
      <Empty icon="users" title="Give your first integrator an API user">
        <p>
          An API user is a machine that calls your APIs. It exchanges its client id and secret for access
          tokens. This page shows the number of tokens, the time per token and refusals.
        </p>
        {mayWrite && (
          <LinkButton kind="primary" icon="plus" href={paths.newApiUser}>
            Create an API user
          </LinkButton>
        )}
      </Empty>
    </section>
  );
}

const KINDS: Record<AttentionJson['kind'], { badge: BadgeKind; text: string }> = {
  clock: { badge: 'danger', text: 'Clock is wrong' },
  organisation_quota: { badge: 'warn', text: 'Quota used up' },
  secret_expires: { badge: 'warn', text: 'Secret expires' },
  refused: { badge: 'danger', text: 'Refused' },
  limit_hit: { badge: 'danger', text: 'Limit hit' },
  unused: { badge: 'plain', text: 'Unused' },
};

function Attentions({ items, isOld }: { items: readonly AttentionJson[]; isOld: boolean }): JSX.Element {
  return (
    <Card title="Needs attention">
      {isOld && <p class="soft">Unknown: the server does not answer.</p>}
      {items.length === 0 && !isOld && (
        <p class="row beside soft">
          <Icon name="check" />
          Nothing needs attention. Refused callers, secrets that expire soon, reached limits and API users
          without a call for 90 days appear here.
        </p>
      )}
      {items.length > 0 && (
        <ul class="plain-list">
          {items.map((item) => (
            <li
              class="row"
              key={`${item.kind} ${item.name} ${item.client_id ?? ''} ${item.credential_id ?? ''} ${item.reason ?? ''}`}
            >
              <Badge kind={KINDS[item.kind].badge}>{KINDS[item.kind].text}</Badge>
              <SubjectName item={item} />
              <span class="soft breakable">{detailOf(item)}</span>
              {item.at !== undefined && (
                <span class="push soft small">
                  <Ago at={item.at} />
                </span>
              )}
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}

/** The name of what needs attention, as a link to its page if it has one. */
function SubjectName({ item }: { item: AttentionJson }): JSX.Element {
  const { name, client_id: clientId, organisation_id: organisationId } = item;
  const href =
    clientId !== undefined
      ? paths.apiUser(clientId)
      : organisationId !== undefined
        ? paths.organisation(organisationId)
        : null;
  if (href === null) return <span class="breakable">{name}</span>;
  return (
    <a class="breakable" href={href} title={name}>
      {cut(name)}
    </a>
  );
}

/** The reason in the charts' words. */
function detailOf({ kind, client_id: id, reason, count = 0, detail }: AttentionJson): string {
  if (kind !== 'refused' || id === undefined || reason === undefined) return detail;
  return `Refused ${whole(count)} times in the last hour: ${reasonText(reason)}`;
}

function Use({ seconds }: { seconds: readonly RatesEventJson[] }): JSX.Element {
  const [span, setSpan] = useState<Span>('live');
  return (
    <Card title="Tokens and refusals" actions={<SpanField span={span} onInput={setSpan} />}>
      {span === 'live' ? (
        <LiveCharts seconds={seconds} />
      ) : (
        <PastUsage key={span} path="/usage" span={span} />
      )}
    </Card>
  );
}

/** The server sends an event per second; after this long without one, the current rate is unknown. */
const SILENCE_MS = 5000;

/** Live: the rates of one process. The other spans count all processes. */
function LiveCharts({ seconds }: { seconds: readonly RatesEventJson[] }): JSX.Element {
  const now = useNow(1000);
  const heardAt = useStore(lastRateAt);
  const points = seconds.flatMap(({ at, tokens, refusals }, i): UsageMoment[] => {
    const time = Date.parse(at);
    const before = Date.parse(seconds[i - 1]?.at ?? at);
    const gap = time - before > SILENCE_MS ? [unknownAt(before + 1000)] : [];
    return [...gap, { at: time, tokens, refusals }];
  });
  const last = points.at(-1)?.at;
  const silentMs = heardAt === null ? 0 : now - heardAt;
  if (last !== undefined && silentMs > SILENCE_MS)
    points.push(unknownAt(last + 1000), unknownAt(last + silentMs));
  if (last === undefined) return <p class="soft nothing">Unknown: the server has sent no data yet.</p>;
  const [from, to] = liveSpan(points[0]?.at ?? last, points.at(-1)?.at ?? last);
  return (
    <UsageCharts
      points={points.filter(({ at }) => at >= from)}
      each="second"
      kind="lines"
      span={`the last ${duration(Math.max(1000, to - (points[0]?.at ?? to)))}, of the server process that this page is connected to`}
      axis={[from, to]}
    />
  );
}

function unknownAt(at: number): UsageMoment {
  return { at, tokens: null, refusals: null };
}

function Latency({ seconds }: { seconds: readonly RatesEventJson[] }): JSX.Element {
  const times = seconds.map(({ at }) => Date.parse(at));
  return (
    <Card title="Time per token">
      <Chart
        label="Milliseconds per token, last five minutes"
        times={times}
        span={spanOf(seconds)}
        format={milliseconds}
        series={[
          { label: 'Median', colour: 3, values: seconds.map(({ p50_ms }) => p50_ms) },
          { label: '99 of 100', colour: 4, values: seconds.map(({ p99_ms }) => p99_ms) },
        ]}
      />
    </Card>
  );
}

function spanOf(seconds: readonly RatesEventJson[]): readonly [number, number] {
  const end = Date.parse(seconds.at(-1)?.at ?? new Date().toISOString());
  return liveSpan(Date.parse(seconds[0]?.at ?? new Date().toISOString()), end);
}
