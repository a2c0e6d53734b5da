import type { IncomingMessage } from 'node:http';
import type { Config } from '../../config/config.ts';
import { networkSet } from '../../domain/network.ts';
import { isForwarded, peerAddress } from '../address.ts';
import { errorAnswer } from '../error-response.ts';
import { answerOf } from './document.ts';
import { ownRoute, type PublicRoute } from './public-route.ts';

export interface MetricsServices {
  addressOf(request: IncomingMessage): string;
  metrics: { contentType: string; text(): Promise<string> };
}

type MetricsConfig = Pick<Config, 'metricsNetworks' | 'trustedProxies' | 'forwardedHeader'>;

/** `GET /metrics`, for callers in the configured networks. */
export function metricsRoute(
  { addressOf, metrics }: MetricsServices,
  { metricsNetworks, trustedProxies, forwardedHeader }: MetricsConfig,
): PublicRoute {
  const allowed = networkSet(metricsNetworks);
  const proxies = networkSet(trustedProxies);

  /**
   * Refuses what an untrusted proxy forwards: its own address would let every caller behind it read metrics.
   */
  function mayRead(request: IncomingMessage): boolean {
    if (isForwarded(request, forwardedHeader) && !proxies.includes(peerAddress(request))) return false;
    return allowed.includes(addressOf(request));
  }

  return ownRoute('/metrics', async (request, traceId) => {
    if (!mayRead(request)) return answerOf(errorAnswer(403, 'forbidden', FORBIDDEN, traceId));
    const body = await metrics.text();
    return { status: 200, headers: ['Cache-Control', 'no-store'], type: metrics.contentType, body };
  });
}

const FORBIDDEN = 'Metrics may not be read from this network address: name it in MINTMARK_METRICS_NETWORKS.';
