/** A caller and its credential, as a request to the data plane presents them. */
export interface Caller {
  /** A client id or a username. */
  clientId: string;
  /** A generated secret or a password. */
  clientSecret: string;
  /** The caller's address, without a port. */
  address: string;
  /** 32 hexadecimal digits that identify the request in the log. */
  traceId: string;
}
