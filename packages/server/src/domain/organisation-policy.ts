import type { Credential } from './credential.ts';
import type { ApiUserSettings } from './api-user.ts';
import { trustRuleOf } from './assertion-credential.ts';
import type { Fault } from './fault.ts';
import { isWithin } from './network.ts';
import type { OrganisationPolicy } from './organisation.ts';

// What the policy of an organisation forbids. Every path that makes or changes an API user or a credential
// asks here.

/** The settings that a policy bounds. */
export type BoundSettings = Pick<
  ApiUserSettings,
  'scopes' | 'audiences' | 'limitPerMinute' | 'allowedNetworks'
>;

/** Every setting of an API user that the policy forbids. */
export function settingsFaults(policy: OrganisationPolicy, settings: BoundSettings): Fault[] {
  const problems: [member: string, problem: string | null][] = [
    ['scopes', scopesProblem(policy, settings.scopes)],
    ['audiences', audiencesProblem(policy, settings.audiences)],
    ['limit_per_minute', limitProblem(policy, settings.limitPerMinute)],
    ['allowed_networks', networksProblem(policy, settings.allowedNetworks)],
  ];
  return problems.flatMap(([member, problem]) => (problem === null ? [] : [{ member, problem }]));
}

function scopesProblem({ scopes: allowed }: OrganisationPolicy, scopes: readonly string[]): string | null {
  const others = scopes.filter((scope) => !allowed.includes(scope));
  return others.length === 0
    ? null
    : `The policy of the organisation does not allow ${named('scope', others)}: remove ${them(others)}.`;
}

function audiencesProblem(
  { audiences: allowed }: OrganisationPolicy,
  audiences: readonly string[],
): string | null {
  // Without audiences, its tokens would be for the server's default audience.
  if (audiences.length === 0)
    return allowed.length === 0
      ? null
      : `The policy of the organisation names audiences: give at least one of ${allowed.join(', ')}.`;
  const others = audiences.filter((audience) => !allowed.includes(audience));
  return others.length === 0
    ? null
    : `The policy of the organisation does not allow ${named('audience', others)}: remove ${them(others)}.`;
}

function limitProblem({ apiUserLimitMax: max }: OrganisationPolicy, limit: number | null): string | null {
  if (max === null || (limit !== null && limit <= max)) return null;
  const here = limit === null ? 'the default of the server' : String(limit);
  return `The policy of the organisation allows at most ${max} calls a minute, not ${here}: give a limit up to ${max}.`;
}

function networksProblem(
  { allowedNetworks: allowed }: OrganisationPolicy,
  networks: readonly string[],
): string | null {
  if (allowed.length === 0) return null;
  const others = networks.filter((network) => !isWithin(network, allowed));
  return others.length === 0
    ? null
    : `The policy of the organisation does not allow ${named('network', others)}: give networks within ${allowed.join(', ')}.`;
}

function named(noun: string, items: readonly string[]): string {
  return `the ${noun}${items.length === 1 ? '' : 's'} ${items.join(', ')}`;
}

function them(items: readonly string[]): string {
  return items.length === 1 ? 'it' : 'them';
}

/** What a policy bounds of a credential. */
export interface BoundCredential {
  kind: Credential['kind'];
  /** Milliseconds since 1970. */
  createdAt: number;
  /** Milliseconds since 1970; null: it never expires. */
  expiresAt: number | null;
  /** The issuer of a trust rule; null: another kind. */
  issuer: string | null;
}

export function boundCredential(credential: Credential): BoundCredential {
  const { kind, createdAt, expiresAt } = credential;
  return { kind, createdAt, expiresAt, issuer: trustRuleOf(credential)?.issuer ?? null };
}

const DAY_MS = 86_400_000;

/** Why the policy forbids a credential; null if it allows the credential. */
export function credentialFault(policy: OrganisationPolicy, credential: BoundCredential): Fault | null {
  const { kind, issuer, expiresAt } = credential;
  if (!policy.credentialKinds.includes(kind)) {
    const kinds = policy.credentialKinds.join(', ');
    return fault('kind', `does not allow credentials of the kind ${kind}: choose one of ${kinds}`);
  }
  if (issuer !== null && !policy.trustIssuers.includes(issuer))
    return fault('issuer', `does not allow trust rules for the issuer ${issuer}: choose one that it lists`);
  const latest = latestExpiry(policy, credential.createdAt);
  if (latest === null || (expiresAt !== null && expiresAt <= latest)) return null;
  const [days, at] = [policy.credentialDaysMax, new Date(latest).toISOString()];
  return fault('expires_at', `allows ${days} days for a credential: give a time up to ${at}`);
}

function fault(member: string, rest: string): Fault {
  return { member, problem: `The policy of the organisation ${rest}.` };
}

/** The latest expiry time of a credential with this creation time; null: no bound. */
export function latestExpiry(
  { credentialDaysMax: days }: OrganisationPolicy,
  createdAt: number,
): number | null {
  return days === null ? null : createdAt + days * DAY_MS;
}

/** Why another API user would be one too many; null if it would not. `count`: how many there are. */
export function countProblem(
  { apiUsersMax }: OrganisationPolicy,
  count: number,
  more: number,
): string | null {
  return count + more <= apiUsersMax
    ? null
    : `The organisation has ${count} API users, and its policy allows ${apiUsersMax}: delete one that is not needed, or ask ` +
        'an operator of the platform for a higher number.';
}

/** Something that exists although the policy forbids it, because the policy was stricter later. */
export interface Violation {
  /** Null: the organisation has too many API users. */
  clientId: string | null;
  apiUserName: string | null;
  /** Null: a setting of the API user violates the policy. */
  credentialId: string | null;
  member: string;
  problem: string;
}

/** `credentials`: the live credentials of the API user. */
export function violationsOf(
  policy: OrganisationPolicy,
  user: BoundSettings & { clientId: string; name: string },
  credentials: readonly Credential[],
): Violation[] {
  const of = { clientId: user.clientId, apiUserName: user.name };
  return [
    ...settingsFaults(policy, user).map((each) => ({ ...of, credentialId: null, ...each })),
    ...credentials.flatMap((credential) => {
      const each = credentialFault(policy, boundCredential(credential));
      return each === null ? [] : [{ ...of, credentialId: credential.id, ...each }];
    }),
  ];
}
