import { whole, type Setting } from '../setting.ts';

/** The bounds of requests and connections; a part of `Config`. */
export interface HttpConfig {
  readonly bodyBytesMax: number;
  readonly headerBytesMax: number;
  readonly headersTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  readonly connectionsMax: number;
  /** 0: a part of `connectionsMax`. */
  readonly networkConnectionsMax: number;
  readonly backlogMax: number;
  readonly drainMs: number;
  readonly shutdownTimeoutMs: number;
}

export const HTTP_SETTINGS: { readonly [K in keyof HttpConfig]: Setting<HttpConfig[K]> } = {
  bodyBytesMax: whole('BODY_BYTES_MAX', '<bytes>', 8192, 1024, 1e6, 'Longest body of a request.'),
  headerBytesMax: whole(
    'HEADER_BYTES_MAX',
    '<bytes>',
    16_384,
    4096,
    1e6,
    'Most bytes of a request before its body.',
  ),
  headersTimeoutMs: whole(
    'HEADERS_TIMEOUT',
    '<ms>',
    10_000,
    100,
    300_000,
    'In this time the headers of a request have arrived.',
  ),
  requestTimeoutMs: whole(
    'REQUEST_TIMEOUT',
    '<ms>',
    15_000,
    100,
    300_000,
    'In this time a request has arrived whole.',
  ),
  keepAliveTimeoutMs: whole(
    'KEEP_ALIVE_TIMEOUT',
    '<ms>',
    65_000,
    100,
    600_000,
    'An idle connection is closed after this time; longer than that of the load balancer before it.',
  ),
  connectionsMax: whole(
    'CONNECTIONS_MAX',
    '<number>',
    10_000,
    1,
    1e6,
    'Most connections at a time; the excess is closed at once.',
  ),
  networkConnectionsMax: whole(
    'NETWORK_CONNECTIONS_MAX',
    '<number>',
    0,
    0,
    1e6,
    'Most connections of one network address (IPv6: of a /64 network) at a time, and behind trusted proxies most requests in flight. 0: a quarter of MINTMARK_CONNECTIONS_MAX.',
  ),
  backlogMax: whole(
    'BACKLOG_MAX',
    '<number>',
    4096,
    1,
    65_535,
    'Most new connections that wait to be accepted; the system may allow fewer (net.core.somaxconn on Linux).',
  ),
  drainMs: whole(
    'DRAIN',
    '<ms>',
    1000,
    0,
    300_000,
    'After SIGTERM, /readyz answers 503 for so long before the server stops listening.',
  ),
  shutdownTimeoutMs: whole(
    'SHUTDOWN_TIMEOUT',
    '<ms>',
    10_000,
    100,
    300_000,
    'Requests in flight get so long to finish.',
  ),
};
