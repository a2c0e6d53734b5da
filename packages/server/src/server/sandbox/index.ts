// The public entry of the server's package for tests: @mintmark/testing hands it on.
export { startMintmark, type Mintmark, type MintmarkOptions } from './sandbox.ts';
export type { Fault, FaultSequence, RandomFaults, RequestFaults } from './faults.ts';
export type { Issuing, SandboxApiUser, SandboxApiUserSettings, SandboxTokenRequest } from './issuing.ts';
export type { Endpoint, SandboxRequest } from './journal.ts';
export type { Span } from './span.ts';
export type { StateFaults } from './state-faults.ts';
export type { SandboxClock } from './virtual-clock.ts';
