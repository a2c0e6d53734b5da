import type { Assertion } from '../domain/assertion.ts';
import type { Caller } from '../domain/caller.ts';
import type { Authentication } from '../domain/check-secret.ts';
import type { Denial } from '../domain/denial.ts';
import type { TrustedKeySets } from '../domain/key-source.ts';
import type { KnownApiUser } from '../domain/known-api-user.ts';
import type { UsedAssertions } from '../domain/used-assertion.ts';
import type { SignatureCheck, SignatureOutcome } from '../runtime/signature-check.ts';

/** What the check of an assertion needs from the process. */
export interface AssertionServices {
  /** The values of `aud` that an API user may put into an assertion that it signs. */
  audiences: readonly string[];
  signatures: SignatureCheck;
  keySets: TrustedKeySets;
  used: UsedAssertions;
}

/** A caller with an assertion, and the API user that it names, if known. */
export interface AssertionAttempt {
  caller: Caller;
  assertion: Assertion;
  apiUser: KnownApiUser | undefined;
  nowMs: number;
  /** The denial if the caller's budget for failed attempts is exhausted, as far as this process knows. */
  exhausted(): Denial | null;
}

/** An assertion that proves the caller; if `isSingleUse`, only if it was not used before. */
export interface AcceptedProof {
  credentialId: string;
  subject?: string | null;
  isSingleUse: boolean;
  signature: SignatureOutcome;
}

/** The outcome of all checks but that of a use before. */
export type Proof = AcceptedProof | Extract<Authentication, { failure: unknown }>;
