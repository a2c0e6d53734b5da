import type { OverviewSource } from '../../runtime/usage/overview-source.ts';
import type { AdminApp } from './admin-app.ts';
import { attentionJson, overviewSchema, rounded } from './overview.wire.ts';
import { ref } from './schema.ts';
import type { SigningKeyServices } from './signing-key.routes.ts';
import { signingKeyJson } from './signing-key.wire.ts';

export interface OverviewServices {
  now(): number;
  version: string;
  signingKeys: SigningKeyServices['signingKeys'];
  overview: OverviewSource;
}

/** After `signingKeyRoutes`, whose schema it refers to. */
export function overviewRoute(
  app: AdminApp,
  { overview, signingKeys, now, version }: OverviewServices,
): void {
  app.addSchema(overviewSchema);
  app.get(
    '/overview',
    {
      config: { needs: 'read' },
      schema: {
        operationId: 'readOverview',
        summary: 'How things stand, and what needs attention.',
        tags: ['Usage'],
        response: { 200: ref(overviewSchema) },
      },
    },
    async () => {
      const nowMs = now();
      const keys = (await signingKeys.list()).map((key) => signingKeyJson(key, nowMs));
      const { apiUsers, attention } = await overview.standing();
      const { tokens, refusals, seconds, p50Ms, p99Ms } = overview.lately();
      const refused = Object.values(refusals).reduce((sum, count) => sum + count, 0);
      return {
        tokens_per_second: rounded(tokens / seconds),
        refusals_per_second: rounded(refused / seconds),
        latency_ms: { p50: rounded(p50Ms), p99: rounded(p99Ms) },
        api_users: apiUsers && {
          total: apiUsers.total,
          enabled: apiUsers.enabled,
          active_24h: apiUsers.active,
        },
        signing_keys: keys.filter(({ state }) => state !== 'removed'),
        attention: attention.map(attentionJson),
        version,
        uptime_seconds: Math.floor((nowMs - overview.startedAt) / 1000),
      };
    },
  );
}
