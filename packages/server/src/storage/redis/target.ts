/** Which Redis, and who asks. */
export interface RedisTarget {
  /** One server; one that is found by asking Sentinels; or all masters of a cluster, found by asking any node. */
  kind: 'server' | 'sentinel' | 'cluster';
  /** The server, the Sentinels, or some nodes of the cluster. */
  servers: readonly RedisServer[];
  /** Of the master, as the Sentinels know it; empty where there are none. */
  masterName: string;
  /** Null: the default user. */
  user: string | null;
  /** Revealed for the sign-in alone. */
  password: { reveal(): string } | null;
  sentinelPassword: { reveal(): string } | null;
  database: number;
  /** Null: not encrypted. Else the certificate of the server is verified. */
  tls: RedisTls | null;
}

export interface RedisTls {
  /** Files in PEM. Null: the authorities that Node knows. */
  authoritiesFile: string | null;
  certificateFile: string | null;
  keyFile: string | null;
}

export interface RedisServer {
  host: string;
  port: number;
}

export function redisName({ host, port }: RedisServer): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** `host:port`, as nodes of a cluster write it: also an IPv6 address has no brackets there. */
export function redisServerOf(name: string): RedisServer {
  const colon = name.lastIndexOf(':');
  return { host: name.slice(0, colon), port: Number(name.slice(colon + 1)) };
}
