/** A call of the program to the API of the check. */
export interface ApiCall {
  /** Milliseconds since 1970 (UTC) at which it arrived. */
  atMs: number;
  /** `refused`: with a token that is not active, or with none. */
  answer: 'accepted' | 'refused';
}

export interface TokenRequest {
  /** Milliseconds since 1970 (UTC) at which it arrived. */
  atMs: number;
  /** Null if the connection ended before the answer. */
  status: number | null;
}

/** What a program must never print, and the stream on which it did. */
export interface Leak {
  what: 'the client secret' | 'an access token';
  stream: 'stdout' | 'stderr';
}

/** How the program ended. */
export interface ProgramEnd {
  /** Null if a signal ended it. */
  exitCode: number | null;
  /** The time limit of the scenario passed, and the check ended the program. */
  timedOut: boolean;
  leaks: readonly Leak[];
  /** The last line that it printed about an error, or at all, without secrets and tokens. */
  lastLine: string;
}

/** All that a run of the program under one scenario showed. */
export interface Observation {
  calls: readonly ApiCall[];
  tokenRequests: readonly TokenRequest[];
  /** The largest number of calls that the API had at a time. */
  callsAtOnceMax: number;
  /** When the event of the scenario happened, in milliseconds since 1970; null: it did not. */
  eventAtMs: number | null;
  program: ProgramEnd;
}

export function acceptedCalls({ calls }: Observation): number {
  return calls.filter(({ answer }) => answer === 'accepted').length;
}

export function refusedCalls(observation: Observation): number {
  return observation.calls.length - acceptedCalls(observation);
}
