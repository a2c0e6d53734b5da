import type { ApiUser } from './api-user.ts';
import { settingsRecord } from './api-user-record.ts';
import { keyFactsOf, trustRuleOf } from './assertion-credential.ts';
import type { AudienceSettings } from './audience-settings.ts';
import type { AuditFacts } from './audit-entry.ts';
import type { Credential } from './credential.ts';
import type { Organisation } from './organisation.ts';
import { organisationRecord } from './organisation-record.ts';
import type { Revocation } from './revocation.ts';
import type { SigningKey } from './signing-key.ts';
import { trustRuleJson } from './trust-rule-json.ts';
import { trustRuleText } from './trust-rule-text.ts';
import type { TrustRule } from './trust-rule.ts';

// The facts that the audit log records of each noun, with the names that the command line and the admin API
// use. No digests.

export function apiUserFacts(user: ApiUser): AuditFacts {
  const { organisationId } = user;
  return { ...settingsRecord(user), ...(organisationId !== null && { organisation_id: organisationId }) };
}

/** The policy is not nested, so that a change shows only the parts that it changed. */
export function organisationFacts(organisation: Organisation): AuditFacts {
  const { name, contact, external_id, enabled, policy, claims } = organisationRecord(organisation);
  return { name, contact, external_id, enabled, ...policy, claims };
}

export function audienceSettingsFacts({ claims, tokenLifeSeconds }: AudienceSettings): AuditFacts {
  return { claims, token_life_seconds: tokenLifeSeconds };
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

/** Of a new key or trust rule also what it says. */
export function newCredentialFacts(credential: Credential): AuditFacts {
  const [key, rule] = [keyFactsOf(credential), trustRuleOf(credential)];
  return {
    ...credentialFacts(credential),
    ...(key !== null && ('jwk' in key ? { thumbprint: credential.digest } : { jwks_url: key.jwks_url })),
    ...(rule !== null && { trust_rule: ruleFacts(rule) }),
  };
}

/** A rule with many values would not fit in an entry, so the entry has a text in its place. */
function ruleFacts(rule: TrustRule): object | string {
  const json = trustRuleJson(rule);
  const { keys } = rule;
  const facts =
    keys.from === 'inline' ? { ...json, keys: { from: 'inline', count: keys.jwks.keys.length } } : json;
  return JSON.stringify(facts).length <= RULE_LENGTH_MAX
    ? facts
    : trustRuleText(rule).slice(0, RULE_LENGTH_MAX);
}

const RULE_LENGTH_MAX = 8000;

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
