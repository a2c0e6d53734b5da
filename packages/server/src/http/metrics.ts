import type { IncomingMessage } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { Config } from '../config.ts';
import { networkSet } from '../domain/network.ts';
import { replyWith } from './answer.ts';
import { errorAnswer } from './error-response.ts';

export interface MetricsServices {
  addressOf(request: IncomingMessage): string;
  metrics: { contentType: string; text(): Promise<string> };
}

/** Headers by which a proxy says for whom it asks. */
const FORWARDED = ['forwarded', 'x-forwarded-for', 'x-real-ip'] as const;

/** `GET /metrics`, for the networks that may read them. */
export function metricsRoute(
  app: FastifyInstance,
  { addressOf, metrics }: MetricsServices,
  { metricsNetworks, trustedProxies }: Pick<Config, 'metricsNetworks' | 'trustedProxies'>,
): void {
  const allowed = networkSet(metricsNetworks);

  /** What a proxy passes on comes from its own address, unless it is trusted to say from which: it must not open the door. */
  function mayRead(request: IncomingMessage): boolean {
    const passedOn = FORWARDED.some((name) => request.headers[name] !== undefined);
    if (passedOn && trustedProxies.length === 0) return false;
    return allowed.includes(addressOf(request));
  }

  app.get('/metrics', async (request, reply) => {
    if (!mayRead(request.raw)) return replyWith(reply, errorAnswer(403, 'forbidden', FORBIDDEN, request.id));
    return reply
      .header('Cache-Control', 'no-store')
      .type(metrics.contentType)
      .send(await metrics.text());
  });
}

const FORBIDDEN = 'Metrics may not be read from this network address: name it in MINTMARK_METRICS_NETWORKS.';
