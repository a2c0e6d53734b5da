import type { Fault } from './fault.ts';
import type { Credential } from './credential.ts';

/** The callers that a refused change would have cut off. */
export interface InUse {
  /** The live credentials that were used in the last hour. */
  credentials: readonly Credential[];
  tokensLastHour: number;
  tokensLastDay: number;
}

export interface RefusedExtras {
  faults?: readonly Fault[];
  /** With the code `unsafe`. */
  inUse?: InUse;
  /** How the message goes on, in place of its full stop, for who reads it on a command line. */
  onCommandLine?: string;
}

/**
 * Why a change to API users, credentials or keys is not made. Thrown, so that it takes its transaction back with it;
 * the message says what to do. `stale`: it was made from an older version than there is;
 * `forbidden`: whoever asked may not.
 */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly code: 'not_found' | 'conflict' | 'invalid' | 'unsafe' | 'stale' | 'forbidden';
  readonly faults: readonly Fault[];
  readonly inUse: InUse | null;
  readonly onCommandLine: string;

  constructor(
    code: Refused['code'],
    message: string,
    { faults = [], inUse, onCommandLine = '.' }: RefusedExtras = {},
  ) {
    super(message);
    this.code = code;
    this.faults = faults;
    this.inUse = inUse ?? null;
    this.onCommandLine = onCommandLine;
  }
}

/** Does `work`, whose faults are those of the member `member` of something larger. */
export async function faultsBelow<T>(member: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Refused) || error.faults.length === 0) throw error;
    const faults = error.faults.map((fault) => ({ ...fault, member: `${member}/${fault.member}` }));
    throw new Refused(error.code, error.message, { faults, onCommandLine: error.onCommandLine });
  }
}
