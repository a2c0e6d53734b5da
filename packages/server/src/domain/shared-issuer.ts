import type { TrustRule } from './trust-rule.ts';

/** An issuer whose tokens strangers can get, too: a rule on it must name an immutable id of its tenant. */
export interface SharedIssuer {
  name: string;
  /** The claims that are such ids, in words. */
  ids: string;
  /** Whether the rule names one. */
  isBound(rule: TrustRule): boolean;
}

const GITHUB = 'https://token.actions.githubusercontent.com';

/**
 * A subject that begins with an immutable id. Since 2026, GitHub puts those of owner and repository behind
 * their names. An administrator of a repository can choose other claims for its subject.
 */
const GITHUB_SUBJECT_WITH_ID =
  /^(repo:[^/:@*]+@\d+\/|repo:[^/:@*]+@\d+\/[^/:@*]+@\d+:|repository(_owner)?_id:\d+(:|$))/;

const ENTRA =
  /^https:\/\/(login\.(partner\.)?microsoftonline\.|sts\.windows\.net\/|sts\.chinacloudapi\.cn\/)/;
const GUID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/;

const SHARED_ISSUERS: readonly (SharedIssuer & { preset: string; issues(issuer: string): boolean })[] = [
  {
    name: 'GitHub',
    preset: 'github',
    ids: 'repository_id or repository_owner_id',
    // An enterprise can have an issuer of its own, with its name behind a slash.
    issues: (issuer) => issuer === GITHUB || issuer.startsWith(`${GITHUB}/`),
    isBound: (rule) =>
      isExact(rule, 'repository_id') ||
      isExact(rule, 'repository_owner_id') ||
      GITHUB_SUBJECT_WITH_ID.test(rule.subject),
  },
  {
    name: 'GitLab',
    preset: 'gitlab',
    ids: 'project_id or namespace_id',
    issues: (issuer) => issuer === 'https://gitlab.com',
    isBound: (rule) => isExact(rule, 'project_id') || isExact(rule, 'namespace_id'),
  },
  {
    name: 'Google',
    preset: 'google',
    ids: 'sub (the unique id of the service account; its e-mail address can be given to another one)',
    issues: (issuer) => /^(https:\/\/)?accounts\.google\.com$/.test(issuer),
    isBound: (rule) => /^\d+$/.test(rule.subject),
  },
  {
    name: 'Microsoft Entra',
    preset: 'entra',
    ids: 'tid and oid',
    issues: (issuer) => ENTRA.test(issuer),
    isBound: (rule) => isExact(rule, 'oid') && (isExact(rule, 'tid') || GUID.test(rule.issuer)),
  },
];

/** The shared issuer that a rule trusts, by its `iss` or by its preset; null if its issuer is not shared. */
export function sharedIssuerOf({ issuer, preset }: TrustRule): SharedIssuer | null {
  return SHARED_ISSUERS.find((shared) => shared.issues(issuer) || shared.preset === preset) ?? null;
}

/** Whether a claim must have a value, or one of several, and not only a prefix. */
function isExact({ claims }: TrustRule, name: string): boolean {
  const match = Object.hasOwn(claims, name) ? claims[name] : undefined;
  return match !== undefined && !(typeof match === 'object' && 'prefix' in match);
}
