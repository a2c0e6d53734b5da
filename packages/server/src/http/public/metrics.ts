import type { IncomingMessage } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { Config } from '../../config/config.ts';
import { networkSet } from '../../domain/network.ts';
import { isForwarded, peerAddress } from '../address.ts';
import { replyWith } from '../answer.ts';
import { errorAnswer } from '../error-response.ts';

export interface MetricsServices {
  addressOf(request: IncomingMessage): string;
  metrics: { contentType: string; text(): Promise<string> };
}

type MetricsConfig = Pick<Config, 'metricsNetworks' | 'trustedProxies' | 'forwardedHeader'>;

/** `GET /metrics`, for callers in the configured networks. */
export function metricsRoute(
  app: FastifyInstance,
  { addressOf, metrics }: MetricsServices,
  { metricsNetworks, trustedProxies, forwardedHeader }: MetricsConfig,
): void {
  const allowed = networkSet(metricsNetworks);
  const proxies = networkSet(trustedProxies);

  /**
   * Refuses what an untrusted proxy forwards: its own address would let every caller behind it read metrics.
   */
  function mayRead(request: IncomingMessage): boolean {
    if (isForwarded(request, forwardedHeader) && !proxies.includes(peerAddress(request))) return false;
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
