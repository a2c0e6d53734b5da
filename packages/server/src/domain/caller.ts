import type { Assertion } from './assertion.ts';

/** A caller and its credential, as a request to the data plane presents them. */
export interface Caller {
  /** A client id or a username. */
  clientId: string;
  /** A generated secret or a password; empty if the caller sent an assertion. */
  clientSecret: string;
  /** The assertion that proves the caller in place of a secret (RFC 7521 §4.2). */
  assertion: Assertion | null;
  /** The caller's address, without a port. */
  address: string;
  /** 32 hexadecimal digits that identify the request in the log. */
  traceId: string;
}
