import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { apiUserPath } from '../api/paths.ts';
import type { LiveUse } from '../state/uses.ts';
import { Card } from '../ui/page.tsx';
import { PastUsage, RecentUsage, SpanField, type Span } from '../ui/usage-charts.tsx';

/** An API user's tokens and refusals by reason, live or stored. */
export function UsageCard({ clientId, live }: { clientId: string; live: LiveUse }): JSX.Element {
  const [span, setSpan] = useState<Span>('live');
  return (
    <Card title="Use" actions={<SpanField span={span} onInput={setSpan} />}>
      {span === 'live' ? (
        <RecentUsage path={`${apiUserPath(clientId)}/usage`} seen={live.minutes} />
      ) : (
        <PastUsage key={span} path={`${apiUserPath(clientId)}/usage`} span={span} />
      )}
    </Card>
  );
}
