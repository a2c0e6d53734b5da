import type { ApiUser } from './api-user.ts';
import { settingsRecord } from './api-user-record.ts';
import type { AuditFacts } from './audit-entry.ts';
import type { Credential } from './credential.ts';
import type { Revocation } from './revocation.ts';
import type { SigningKey } from './signing-key.ts';

// The facts that the audit log records of each noun, with the names that the command line and the admin API
// use. No digests.

export function apiUserFacts(user: ApiUser): AuditFacts {
  return { ...settingsRecord(user) };
}

export function credentialFacts(credential: Credential): AuditFacts {
  return {
    kind: credential.kind,
    name: credential.name,
    expires_at: iso(credential.expiresAt),
    retired_at: iso(credential.retiredAt),
    ...(credential.retireWhenQuietFrom !== null && {
      retire_when_quiet_from: iso(credential.retireWhenQuietFrom),
    }),
  };
}

export function signingKeyFacts(key: SigningKey): AuditFacts {
  return {
    kid: key.kid,
    algorithm: key.algorithm,
    announced_at: iso(key.announcedAt),
    activates_at: iso(key.activatesAt),
    retires_at: iso(key.retiresAt),
    removes_at: iso(key.removesAt),
  };
}

/** Empty unless all tokens issued before a time were revoked. */
export function revocationFacts(revocation: Revocation | null): AuditFacts {
  if (revocation === null || revocation.issuedBefore === null) return {};
  return { tokens_revoked_issued_before: iso(revocation.issuedBefore * 1000) };
}

/** The facts that differ between two states of the same subject. */
export function changedFacts(
  before: AuditFacts,
  after: AuditFacts,
): { before: AuditFacts; after: AuditFacts } {
  const names = Array.from(new Set([...Object.keys(before), ...Object.keys(after)]));
  const changed = names.filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]));
  const only = (facts: AuditFacts) =>
    Object.fromEntries(changed.filter((name) => name in facts).map((name) => [name, facts[name]]));
  return { before: only(before), after: only(after) };
}

function iso(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
