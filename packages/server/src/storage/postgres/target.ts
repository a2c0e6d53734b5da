/** The PostgreSQL servers, and the user that connects to them. */
export interface PostgresTarget {
  /** One of them is the primary. Mintmark finds it, and finds the new one after a failover. */
  servers: readonly PostgresServer[];
  database: string;
  user: string;
  /** Revealed only for the sign-in. */
  password: { reveal(): string } | null;
  tls: {
    /** Null: `disable` for this machine, `verify-full` for every other. */
    mode: TlsMode | null;
    rootCertificateFile: string | null;
    certificateFile: string | null;
    keyFile: string | null;
  };
  applicationName: string;
}

export interface PostgresServer {
  /** A name, an address, or the folder of a socket (begins with a slash). */
  host: string;
  port: number;
}

/** As in psql. `require` encrypts, but verifies the certificate only if an authority is named. */
export type TlsMode = 'disable' | 'require' | 'verify-ca' | 'verify-full';

export function isOnThisMachine({ host }: PostgresServer): boolean {
  return host.startsWith('/') || host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

export function tlsModeFor(target: PostgresTarget, server: PostgresServer): TlsMode {
  return target.tls.mode ?? (isOnThisMachine(server) ? 'disable' : 'verify-full');
}

export function nameOf({ host, port }: PostgresServer): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
