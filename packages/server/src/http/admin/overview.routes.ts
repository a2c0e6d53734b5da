import { listSigningKeys } from '../../admin/signing-key.ts';
import { VERSION } from '../../lib/version.ts';
import type { AdminApp } from './admin-app.ts';
import type { AdminContext } from './context.ts';
import { attentionJson, overviewSchema, rounded } from './overview.wire.ts';
import { ref } from './schema.ts';
import { signingKeyJson } from './signing-key.wire.ts';

/** Register it after `signingKeyRoutes`, because it refers to their schema. */
export function overviewRoute(app: AdminApp, { overview, store, masterKey, now }: AdminContext): void {
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
      const keys = await listSigningKeys(store, masterKey, nowMs);
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
        signing_keys: keys
          .map((key) => signingKeyJson(key, nowMs))
          .filter(({ state }) => state !== 'removed'),
        attention: attention.map(attentionJson),
        version: VERSION,
        uptime_seconds: Math.floor((nowMs - overview.startedAt) / 1000),
      };
    },
  );
}
