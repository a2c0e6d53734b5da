/** Who calls, and how it proves that. */
export interface Caller {
  /** A client id or a username. */
  clientId: string;
  /** A generated secret or a password. */
  clientSecret: string;
  /** The caller's address, without a port. */
  address: string;
  /** 32 hexadecimal digits: the request in the log. */
  traceId: string;
}
