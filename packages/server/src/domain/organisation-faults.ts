import { isAdminApiScope } from './admin-scope.ts';
import {
  externalIdProblem,
  limitProblem,
  listProblem,
  scopesProblem,
  textProblem,
  tokenLifeProblem,
} from './api-user.ts';
import { claimsFaults } from './claims.ts';
import type { Fault } from './fault.ts';
import { resourceProblem } from './grant.ts';
import { networkProblem } from './network.ts';
import type { OrganisationPolicy, OrganisationSettings } from './organisation.ts';

/** The most API users that a policy can allow: one transaction checks them all. */
export const ORGANISATION_API_USERS_MAX = 10_000;
const CREDENTIAL_DAYS_MAX = 3650;
const QUOTA_MAX = 1_000_000_000;
/** Characters of an issuer. */
const ISSUER_LENGTH_MAX = 512;

type Problem = [member: string, problem: string | null];

/** All faults of the settings of an organisation, with members as in its JSON; empty if there are none. */
export function organisationFaults(settings: OrganisationSettings): Fault[] {
  const { name, contact, externalId, policy, claims } = settings;
  const problems: Problem[] = [
    ['name', textProblem('name', name)],
    ['contact', contact === null ? null : textProblem('contact', contact)],
    ['external_id', externalId === null ? null : externalIdProblem(externalId)],
    ...policyProblems(policy).map(([member, problem]): Problem => [`policy/${member}`, problem]),
  ];
  const faults = problems.flatMap(([member, problem]) => (problem === null ? [] : [{ member, problem }]));
  return [...faults, ...claimsFaults(claims)];
}

function policyProblems(policy: OrganisationPolicy): Problem[] {
  const { quota } = policy;
  return [
    ['scopes', adminScopeProblem(policy.scopes) ?? scopesProblem(policy.scopes)],
    ['audiences', listProblem('audiences', policy.audiences, resourceProblem)],
    ['credential_kinds', kindsProblem(policy.credentialKinds)],
    ['credential_days_max', numberProblem('days', policy.credentialDaysMax, 1, CREDENTIAL_DAYS_MAX)],
    ['api_users_max', numberProblem('API users', policy.apiUsersMax, 0, ORGANISATION_API_USERS_MAX)],
    ['api_user_limit_max', policy.apiUserLimitMax === null ? null : limitProblem(policy.apiUserLimitMax)],
    ['limit_per_minute', policy.limitPerMinute === null ? null : limitProblem(policy.limitPerMinute)],
    ['quota/tokens_per_hour', numberProblem('tokens', quota.tokensPerHour, 1, QUOTA_MAX)],
    ['quota/tokens_per_day', numberProblem('tokens', quota.tokensPerDay, 1, QUOTA_MAX)],
    ['token_life_seconds', tokenLifeProblem(policy.tokenLifeSeconds)],
    ['allowed_networks', listProblem('allowed networks', policy.allowedNetworks, networkProblem)],
    ['trust_issuers', listProblem('trust issuers', policy.trustIssuers, issuerProblem)],
  ];
}

function adminScopeProblem(scopes: readonly string[]): string | null {
  const scope = scopes.find(isAdminApiScope);
  return scope === undefined
    ? null
    : `The scope ${scope} is for API users of the platform only: no policy may allow it.`;
}

function kindsProblem(kinds: OrganisationPolicy['credentialKinds']): string | null {
  return kinds.length > 0 && new Set(kinds).size === kinds.length
    ? null
    : 'The policy names at least one kind of credential, and each once.';
}

function numberProblem(what: string, value: number | null, least: number, most: number): string | null {
  if (value === null || (Number.isInteger(value) && value >= least && value <= most)) return null;
  return `The number of ${what}, ${value}, is not a whole number from ${least} to ${most}.`;
}

function issuerProblem(issuer: string): string | null {
  return issuer !== '' && issuer.length <= ISSUER_LENGTH_MAX && issuer.trim() === issuer
    ? null
    : `an issuer has 1 to ${ISSUER_LENGTH_MAX} characters and no space around them`;
}
