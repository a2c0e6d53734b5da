import type { JSX } from 'preact';
import type { CredentialKind } from '../../../server/src/domain/credential.ts';
import type { PolicyRecord } from '../../../server/src/domain/organisation-record.ts';
import { CheckField, ChoiceField, NumberField, type Choice } from '../ui/field.tsx';
import { ListField } from '../ui/list-field.tsx';

export interface PolicyFieldsProps {
  policy: PolicyRecord;
  onChange: (change: Partial<PolicyRecord>) => void;
  /** The server's fault for a member of the policy. */
  errorOf: (member: string) => string | null;
}

/** All members of an organisation's policy. */
export function PolicyFields(props: PolicyFieldsProps): JSX.Element {
  const { policy, onChange, errorOf } = props;
  return (
    <>
      <ListField
        label="Scopes"
        noun="scope"
        hint="What its API users may have, such as campaigns:read. Never one that begins with mintmark:."
        placeholder="campaigns:read"
        items={policy.scopes}
        onInput={(scopes) => onChange({ scopes })}
        error={errorOf('scopes')}
      />
      <ListField
        label="Audiences"
        noun="audience"
        optional
        hint="URIs of the APIs that tokens may be for. Empty: only the server’s own."
        placeholder="https://api.example.com"
        items={policy.audiences}
        onInput={(audiences) => onChange({ audiences })}
        error={errorOf('audiences')}
      />
      <CredentialRules {...props} />
      <Limits {...props} />
      <details open={policy.allowed_networks.length > 0 || policy.introspects_all}>
        <summary>More: networks, introspection</summary>
        <div class="stack">
          <ListField
            label="Allowed networks"
            noun="network"
            optional
            hint="Its API users get tokens only from these addresses. Empty: from any."
            placeholder="192.0.2.0/24"
            items={policy.allowed_networks}
            onInput={(networks) => onChange({ allowed_networks: networks })}
            error={errorOf('allowed_networks')}
          />
          <CheckField
            label="Its API users may introspect the tokens of other organisations"
            hint="Only for an organisation that runs an API of the platform."
            checked={policy.introspects_all}
            onInput={(checked) => onChange({ introspects_all: checked })}
          />
        </div>
      </details>
      <ChoiceField<PolicyRecord['violations']>
        label="What a stricter policy forbids"
        value={policy.violations}
        choices={VIOLATIONS}
        onInput={(violations) => onChange({ violations })}
      />
    </>
  );
}

const VIOLATIONS: readonly Choice<PolicyRecord['violations']>[] = [
  {
    value: 'report',
    text: 'keeps working, and is listed',
    hint: 'Nothing fails. The page of the organisation shows what to bring in order.',
  },
  {
    value: 'end',
    text: 'ends when the policy is saved',
    hint: 'API users are disabled and credentials are retired. Their programs get no more tokens.',
  },
];

const KINDS: readonly { kind: CredentialKind; text: string; hint: string }[] = [
  { kind: 'secret', text: 'Secrets', hint: 'Generated.' },
  { kind: 'key', text: 'Keys', hint: 'The program signs with a private key of its own.' },
  { kind: 'trust', text: 'Trust rules', hint: 'Tokens of the issuers below.' },
  { kind: 'password', text: 'Passwords', hint: 'Chosen by a member. For programs that can do nothing else.' },
];

function CredentialRules({ policy, onChange, errorOf }: PolicyFieldsProps): JSX.Element {
  const { credential_kinds: kinds } = policy;
  return (
    <>
      <fieldset class="choices">
        <legend class="label">Kinds of credentials</legend>
        {KINDS.map(({ kind, text, hint }) => (
          <CheckField
            key={kind}
            label={text}
            hint={hint}
            checked={kinds.includes(kind)}
            onInput={(checked) =>
              onChange({
                credential_kinds: KINDS.map((one) => one.kind).filter((one) =>
                  one === kind ? checked : kinds.includes(one),
                ),
              })
            }
          />
        ))}
      </fieldset>
      {kinds.includes('trust') && (
        <ListField
          label="Issuers of trust rules"
          noun="issuer"
          optional
          hint="The only issuers that its trust rules may name. Empty: none."
          placeholder="https://token.actions.githubusercontent.com"
          items={policy.trust_issuers}
          onInput={(issuers) => onChange({ trust_issuers: issuers })}
          error={errorOf('trust_issuers')}
        />
      )}
      <NumberField
        label="Longest life of a credential"
        hint="In days. Empty: credentials need no end."
        value={policy.credential_days_max}
        onInput={(days) => onChange({ credential_days_max: days })}
        error={errorOf('credential_days_max')}
      />
      <CheckField
        label="Members need a second factor"
        hint="Without one, they see nothing until they set it up."
        checked={policy.second_factor_required}
        onInput={(checked) => onChange({ second_factor_required: checked })}
      />
    </>
  );
}

const MODES: readonly Choice<PolicyRecord['quota']['mode']>[] = [
  { value: 'observe', text: 'is shown', hint: 'Tokens beyond it are issued, and the overview says so.' },
  { value: 'enforce', text: 'is refused', hint: 'Until the next hour or day (UTC).' },
];

function Limits({ policy, onChange, errorOf }: PolicyFieldsProps): JSX.Element {
  const { quota } = policy;
  const changeQuota = (change: Partial<PolicyRecord['quota']>) =>
    onChange({ quota: { ...quota, ...change } });
  return (
    <>
      <div class="pairs">
        <NumberField
          label="API users"
          hint="The most it may have."
          isRequired
          value={policy.api_users_max}
          onInput={(count) => onChange({ api_users_max: count ?? 0 })}
          error={errorOf('api_users_max')}
        />
        <NumberField
          label="Life of its tokens"
          hint="In seconds. Empty: the server’s."
          value={policy.token_life_seconds}
          onInput={(seconds) => onChange({ token_life_seconds: seconds })}
          error={errorOf('token_life_seconds')}
        />
        <NumberField
          label="Limit of one API user"
          hint="Calls per minute, at most. Empty: no bound."
          value={policy.api_user_limit_max}
          onInput={(limit) => onChange({ api_user_limit_max: limit })}
          error={errorOf('api_user_limit_max')}
        />
        <NumberField
          label="Limit of all together"
          hint="Calls per minute. Empty: none."
          value={policy.limit_per_minute}
          onInput={(limit) => onChange({ limit_per_minute: limit })}
          error={errorOf('limit_per_minute')}
        />
        <NumberField
          label="Tokens per hour"
          hint="Of all together. Empty: no quota."
          value={quota.tokens_per_hour}
          onInput={(count) => changeQuota({ tokens_per_hour: count })}
          error={errorOf('quota/tokens_per_hour')}
        />
        <NumberField
          label="Tokens per day"
          hint="Of all together. Empty: no quota."
          value={quota.tokens_per_day}
          onInput={(count) => changeQuota({ tokens_per_day: count })}
          error={errorOf('quota/tokens_per_day')}
        />
      </div>
      {(quota.tokens_per_hour !== null || quota.tokens_per_day !== null) && (
        <ChoiceField<PolicyRecord['quota']['mode']>
          label="What goes beyond the quota"
          value={quota.mode}
          choices={MODES}
          onInput={(mode) => changeQuota({ mode })}
        />
      )}
    </>
  );
}
