/** The Redis servers, and the user that connects to them. */
export interface RedisTarget {
  /** One server; a master that Sentinels name; or all masters of a cluster, which any of its nodes names. */
  kind: 'server' | 'sentinel' | 'cluster';
  /** The server, the Sentinels, or some nodes of the cluster. */
  servers: readonly RedisServer[];
  /** The name of the master that the Sentinels watch; empty without Sentinels. */
  masterName: string;
  /** Null: the default user. */
  user: string | null;
  /** Revealed only for the sign-in. */
  password: { reveal(): string } | null;
  sentinelPassword: { reveal(): string } | null;
  database: number;
  /** Null: without encryption. Otherwise the certificate of the server is verified. */
  tls: RedisTls | null;
}

export interface RedisTls {
  /** Files in PEM. Null: the certificate authorities that Node trusts. */
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

/** `host:port`, as nodes of a cluster write it: even an IPv6 address has no brackets there. */
export function redisServerOf(name: string): RedisServer {
  const colon = name.lastIndexOf(':');
  return { host: name.slice(0, colon), port: Number(name.slice(colon + 1)) };
}
