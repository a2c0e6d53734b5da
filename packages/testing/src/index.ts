export { startMintmark } from 'mintmark/testing';
export type {
  Endpoint,
  Fault,
  FaultSequence,
  Issuing,
  Mintmark,
  MintmarkOptions,
  RandomFaults,
  RequestFaults,
  SandboxApiUser,
  SandboxApiUserSettings,
  SandboxClock,
  SandboxRequest,
  SandboxTokenRequest,
  Span,
  StateFaults,
} from 'mintmark/testing';
