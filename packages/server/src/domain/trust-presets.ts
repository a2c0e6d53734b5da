import type { Fault } from './fault.ts';
import type { ClaimMatch, TrustRule } from './trust-rule.ts';

/** One thing that a person fills in. */
export interface PresetField {
  name: string;
  isRequired: boolean;
  example: string;
  /** Explains it, and says where to read it. */
  help: string;
  /** The form of a valid value. */
  form: RegExp;
}

/** The values that a person filled in, by the name of the field. Empty ones are left out. */
export type PresetValues = Readonly<Record<string, string>>;

/** The part of a rule that depends on the preset. */
type PresetRule = Pick<TrustRule, 'issuer' | 'subject' | 'claims' | 'lifeSecondsMax' | 'reuse' | 'keys'>;

/** A trust rule for an issuer that many use, which matches on the claims that are safe to match on. */
export interface TrustPreset {
  name: string;
  title: string;
  fields: readonly PresetField[];
  /** At least one field of each group is required. */
  oneOf: readonly (readonly string[])[];
  ruleOf(values: PresetValues): PresetRule;
  /** What the rule lets in, as the end of a sentence. */
  letsIn(values: PresetValues): string;
}

const NUMBER = /^\d{1,30}$/;
const HTTPS = /^https:\/\/[^\s\p{C}]+$/u;
const NAME = /^[^\s\p{C}]([^\p{C}]*[^\s\p{C}])?$/u;
const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

function field(name: string, form: RegExp, example: string, help: string): PresetField {
  return { name, form, example, help, isRequired: true };
}

function optional(name: string, form: RegExp, example: string, help: string): PresetField {
  return { name, form, example, help, isRequired: false };
}

/** Seconds of an hour: the longest life that most issuers give. */
const HOUR = 3600;

/** `refs/heads/main`, or a prefix for a name that ends in `*`. */
function refMatch({ branch, tag }: PresetValues): Record<string, ClaimMatch> {
  const ref = branch === undefined ? (tag === undefined ? '' : `refs/tags/${tag}`) : `refs/heads/${branch}`;
  if (ref === '') return {};
  return { ref: ref.endsWith('*') ? { prefix: ref.slice(0, -1) } : ref };
}

function whereText({ branch, tag, environment }: PresetValues): string {
  const conditions = [
    branch === undefined ? '' : `on branch ${branch}`,
    tag === undefined ? '' : `on tag ${tag}`,
    environment === undefined ? '' : `in environment ${environment}`,
  ];
  return conditions.filter((text) => text !== '').join(' ');
}

const BRANCH = optional(
  'branch',
  NAME,
  'main',
  'A branch. release/* stands for all that begin with release/.',
);
const TAG = optional('tag', NAME, 'v*', 'A tag, in place of a branch. v* stands for all that begin with v.');

/**
 * Events that only people with write access to the repository cause. Strangers cause pull_request,
 * pull_request_target, issue_comment and, through them, workflow_run; the last three have the ref of the
 * default branch.
 */
const GITHUB_EVENTS = 'push,schedule,workflow_dispatch,release';

const github: TrustPreset = {
  name: 'github',
  title: 'GitHub Actions',
  fields: [
    field('repository_id', NUMBER, '123456', 'Never changes: gh api repos/OWNER/NAME --jq .id'),
    BRANCH,
    TAG,
    optional(
      'environment',
      NAME,
      'production',
      'An environment of the repository, which can demand a review.',
    ),
    optional(
      'events',
      /^[a-z_]+(,[a-z_]+)*$/,
      GITHUB_EVENTS,
      'Events that start the workflow. Left out: these.',
    ),
    optional('issuer', HTTPS, 'https://github.example.com/_services/token', 'Of a GitHub Enterprise Server.'),
  ],
  oneOf: [['branch', 'tag', 'environment']],
  ruleOf: (values) => ({
    issuer: values['issuer'] ?? 'https://token.actions.githubusercontent.com',
    subject: 'repo:*',
    claims: {
      repository_id: values['repository_id'] ?? '',
      ...refMatch(values),
      ...(values['environment'] === undefined ? {} : { environment: values['environment'] }),
      event_name: (values['events'] ?? GITHUB_EVENTS).split(','),
    },
    // GitHub gives a new token, valid for 5 minutes, to each request of a workflow.
    lifeSecondsMax: 900,
    reuse: 'once',
    keys: { from: 'discovery' },
  }),
  letsIn: (values) => {
    const events = (values['events'] ?? GITHUB_EVENTS).replaceAll(',', ', ');
    return `any workflow of repository ${values['repository_id']} ${whereText(values)}, started by ${events}`;
  },
};

const gitlab: TrustPreset = {
  name: 'gitlab',
  title: 'GitLab CI/CD',
  fields: [
    field('project_id', NUMBER, '123456', 'Never changes: the project page shows it under its name.'),
    BRANCH,
    TAG,
    optional('environment', NAME, 'production', 'An environment of the project.'),
    optional(
      'protected',
      /^(true|false)$/,
      'true',
      'Whether branch or tag must be protected. Left out: true.',
    ),
    optional('issuer', HTTPS, 'https://gitlab.example.com', 'Of a GitLab of your own.'),
  ],
  oneOf: [['branch', 'tag', 'environment']],
  ruleOf(values) {
    const { ref } = refMatch(values);
    return {
      issuer: values['issuer'] ?? 'https://gitlab.com',
      subject: 'project_path:*',
      claims: {
        project_id: values['project_id'] ?? '',
        // Not `ref`: in a merge request from a fork, it is the name of the fork's branch.
        ...(ref === undefined ? {} : { ref_path: ref }),
        ...(values['environment'] === undefined ? {} : { environment: values['environment'] }),
        ...(values['protected'] === 'false' ? {} : { ref_protected: 'true' }),
      },
      // A job gets its token at its start, for the time that it may run.
      lifeSecondsMax: HOUR,
      reuse: 'until_expired',
      keys: { from: 'discovery' },
    };
  },
  letsIn: (values) =>
    `any ${values['protected'] === 'false' ? '' : 'protected '}job of project ${values['project_id']} ${whereText(values)}`,
};

/** RFC 1123: labels of Kubernetes. */
const LABEL = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/;
const KUBERNETES_UID = '/kubernetes.io/serviceaccount/uid';

const kubernetes: TrustPreset = {
  name: 'kubernetes',
  title: 'Kubernetes service account',
  fields: [
    field(
      'issuer',
      HTTPS,
      'https://oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE',
      'Of the cluster: kubectl get --raw /.well-known/openid-configuration',
    ),
    field('namespace', LABEL, 'importer', 'The namespace of the service account.'),
    field('service_account', LABEL, 'nightly', 'The name of the service account.'),
    optional(
      'uid',
      GUID,
      '9a1f0d3e-5b7c-4d2a-8e6f-1c0b2a3d4e5f',
      'Only this service account, and no later one.',
    ),
  ],
  oneOf: [],
  ruleOf: (values) => ({
    issuer: values['issuer'] ?? '',
    subject: `system:serviceaccount:${values['namespace']}:${values['service_account']}`,
    claims: values['uid'] === undefined ? {} : { [KUBERNETES_UID]: values['uid'] },
    // The kubelet renews the token in the file of a pod when 80 % of its life are over.
    lifeSecondsMax: HOUR,
    reuse: 'until_expired',
    keys: { from: 'discovery' },
  }),
  letsIn: (values) =>
    `any pod with the service account ${values['service_account']} of namespace ${values['namespace']} in the cluster ` +
    `${values['issuer']}`,
};

const aws: TrustPreset = {
  name: 'aws',
  title: 'AWS (outbound identity federation)',
  fields: [
    field(
      'issuer',
      /^https:\/\/[a-z0-9-]+\.tokens\.sts\.global\.api\.aws$/,
      'https://0a1b2c3d-4e5f-6a7b-8c9d-0e1f2a3b4c5d.tokens.sts.global.api.aws',
      'Of the AWS account: aws iam get-outbound-web-identity-federation-info',
    ),
    field(
      'role_arn',
      /^arn:aws[a-z-]*:iam::\d{12}:(role|user)\/\S+$/,
      'arn:aws:iam::123456789012:role/importer',
      'The role of the workload.',
    ),
  ],
  oneOf: [],
  ruleOf: (values) => ({
    issuer: values['issuer'] ?? '',
    subject: values['role_arn'] ?? '',
    claims: {},
    // The workload chooses 1 to 60 minutes for each token.
    lifeSecondsMax: HOUR,
    reuse: 'once',
    keys: { from: 'discovery' },
  }),
  letsIn: (values) => `any workload of AWS with the role ${values['role_arn']}`,
};

const google: TrustPreset = {
  name: 'google',
  title: 'Google service account',
  fields: [
    field(
      'unique_id',
      NUMBER,
      '113837281937461928374',
      'Never changes: gcloud iam service-accounts describe ADDRESS --format="value(uniqueId)"',
    ),
    optional(
      'email',
      /^\S+@\S+$/,
      'importer@project.iam.gserviceaccount.com',
      'The token must have it, too.',
    ),
  ],
  oneOf: [],
  ruleOf: (values) => ({
    issuer: 'https://accounts.google.com',
    subject: values['unique_id'] ?? '',
    claims: values['email'] === undefined ? {} : { email: values['email'], email_verified: true },
    // The metadata server gives the same token until shortly before it expires, without `jti`.
    lifeSecondsMax: HOUR,
    reuse: 'until_expired',
    keys: { from: 'discovery' },
  }),
  letsIn: (values) => `any workload of Google Cloud with the service account ${values['unique_id']}`,
};

const entra: TrustPreset = {
  name: 'entra',
  title: 'Microsoft Entra (managed identity or application)',
  fields: [
    field('tenant_id', GUID, '0a1b2c3d-4e5f-4a7b-8c9d-0e1f2a3b4c5d', 'az account show --query tenantId'),
    field(
      'object_id',
      GUID,
      '9a1f0d3e-5b7c-4d2a-8e6f-1c0b2a3d4e5f',
      'Of the service principal, not of the application: az ad sp show --id CLIENT_ID --query id',
    ),
    optional('version', /^[12]$/, '2', 'Version of the access tokens of the audience. Left out: 2.'),
  ],
  oneOf: [],
  ruleOf: (values) => ({
    issuer:
      values['version'] === '1'
        ? `https://sts.windows.net/${values['tenant_id']}/`
        : `https://login.microsoftonline.com/${values['tenant_id']}/v2.0`,
    // In a token for an application, and only there, `sub` and `oid` are the same.
    subject: values['object_id'] ?? '',
    claims: { tid: values['tenant_id'] ?? '', oid: values['object_id'] ?? '' },
    // Entra gives 60 to 90 minutes, counted from 5 minutes ago, and no `jti`. Libraries cache the token.
    lifeSecondsMax: 95 * 60,
    reuse: 'until_expired',
    keys: { from: 'discovery' },
  }),
  letsIn: (values) =>
    `the application with the object id ${values['object_id']} of the Entra tenant ${values['tenant_id']}`,
};

const spiffe: TrustPreset = {
  name: 'spiffe',
  title: 'SPIFFE (JWT-SVID)',
  fields: [
    field(
      'spiffe_id',
      /^spiffe:\/\/[a-z0-9._-]+\/\S+$/,
      'spiffe://example.org/ns/importer/sa/nightly',
      'The workload. spiffe://example.org/ns/importer/* stands for all below.',
    ),
    field(
      'issuer',
      NAME,
      'https://oidc.example.org',
      'The iss of the tokens: jwt_issuer of the SPIRE server.',
    ),
    optional(
      'bundle_url',
      HTTPS,
      'https://bundle.example.org/keys',
      'URL of the trust bundle. Left out: the issuer has OpenID discovery.',
    ),
  ],
  oneOf: [],
  ruleOf: (values) => ({
    issuer: values['issuer'] ?? '',
    subject: values['spiffe_id'] ?? '',
    claims: {},
    // The agent of SPIRE gives the same token again while half of its life is left.
    lifeSecondsMax: HOUR,
    reuse: 'until_expired',
    keys:
      values['bundle_url'] === undefined ? { from: 'discovery' } : { from: 'url', url: values['bundle_url'] },
  }),
  letsIn: (values) => `any workload with the SPIFFE ID ${values['spiffe_id']}`,
};

export const TRUST_PRESETS: readonly TrustPreset[] = [github, gitlab, kubernetes, aws, google, entra, spiffe];

/** The rule that a preset makes for `audience`, and what it lets in; or all faults, by field. */
export function ruleFromPreset(
  preset: TrustPreset,
  filledIn: PresetValues,
  audience: string,
): { rule: TrustRule; letsIn: string } | Fault[] {
  const entries = Object.entries(filledIn).map(([name, value]) => [name, value.trim()] as const);
  const values = Object.fromEntries(entries.filter(([, value]) => value !== ''));
  const faults = presetFaults(preset, values);
  if (faults.length > 0) return faults;
  const own = { preset: preset.name, audience, otherAudiences: false };
  return { rule: { ...own, ...preset.ruleOf(values) }, letsIn: preset.letsIn(values) };
}

function presetFaults({ title, fields, oneOf }: TrustPreset, values: PresetValues): Fault[] {
  const names = new Set(fields.map(({ name }) => name));
  const unknown = Object.keys(values).filter((name) => !names.has(name));
  return [
    ...unknown.map((name) => ({
      member: name,
      problem: `${title} has no field ${JSON.stringify(name)}; its fields are ${Array.from(names).join(', ')}.`,
    })),
    ...fields.flatMap((each) => fieldFaults(each, values[each.name])),
    ...oneOf
      .filter((group) => group.every((name) => values[name] === undefined))
      .map((group) => ({ member: group[0] ?? '', problem: `Give at least one of ${group.join(', ')}.` })),
    ...(values['branch'] !== undefined && values['tag'] !== undefined
      ? [{ member: 'tag', problem: 'Give a branch or a tag, not both: no token has both.' }]
      : []),
  ];
}

function fieldFaults(
  { name, isRequired, example, help, form }: PresetField,
  value: string | undefined,
): Fault[] {
  if (value === undefined)
    return isRequired ? [{ member: name, problem: `${name} is missing, such as ${example}. ${help}` }] : [];
  return form.test(value)
    ? []
    : [
        {
          member: name,
          problem: `${name} ${JSON.stringify(value)} is not of the form of ${example}. ${help}`,
        },
      ];
}
