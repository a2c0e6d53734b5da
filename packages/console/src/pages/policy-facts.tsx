import type { ComponentChildren, JSX } from 'preact';
import type { PolicyRecord } from '../../../server/src/domain/organisation-record.ts';
import { plural, whole } from '../format.ts';
import { kindText } from '../ui/credential-kind.ts';
import { Chips } from '../ui/list-field.tsx';

/** A policy, to read. */
export function PolicyFacts({ policy }: { policy: PolicyRecord }): JSX.Element {
  const { quota } = policy;
  const hasQuota = quota.tokens_per_hour !== null || quota.tokens_per_day !== null;
  return (
    <dl class="facts">
      <Fact name="Scopes">
        <Chips items={policy.scopes} none="none: its API users can have no scopes" />
      </Fact>
      <Fact name="Audiences">
        <Chips items={policy.audiences} none="the server’s own" />
      </Fact>
      <Fact name="Credentials">
        <Chips items={policy.credential_kinds.map(kindText)} none="none" />
      </Fact>
      <Fact name="Issuers of rules">
        <Chips items={policy.trust_issuers} none="none" />
      </Fact>
      <Fact name="Life of credentials">
        {policy.credential_days_max === null
          ? 'no bound'
          : `at most ${plural(policy.credential_days_max, 'day')}`}
      </Fact>
      <Fact name="API users">at most {whole(policy.api_users_max)}</Fact>
      <Fact name="Limits">
        {policy.api_user_limit_max === null
          ? 'no bound for one API user'
          : `at most ${whole(policy.api_user_limit_max)} calls a minute for one API user`}
        {policy.limit_per_minute !== null && `, ${whole(policy.limit_per_minute)} for all together`}
      </Fact>
      <Fact name="Quota">{hasQuota ? quotaText(quota) : 'none'}</Fact>
      <Fact name="Life of tokens">
        {policy.token_life_seconds === null ? 'the server’s' : plural(policy.token_life_seconds, 'second')}
      </Fact>
      <Fact name="Allowed networks">
        <Chips items={policy.allowed_networks} none="any" />
      </Fact>
      <Fact name="Second factor">{policy.second_factor_required ? 'members need one' : 'not required'}</Fact>
      <Fact name="Introspection">{policy.introspects_all ? 'of every token' : 'of its own tokens only'}</Fact>
      <Fact name="What it forbids">
        {policy.violations === 'end' ? 'ends when the policy is saved' : 'keeps working, and is listed'}
      </Fact>
    </dl>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }): JSX.Element {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  );
}

function quotaText({ mode, tokens_per_hour: hour, tokens_per_day: day }: PolicyRecord['quota']): string {
  const parts = [
    hour === null ? '' : `${plural(hour, 'token')} an hour`,
    day === null ? '' : `${plural(day, 'token')} a day`,
  ].filter(Boolean);
  return `${parts.join(', ')}; more ${mode === 'enforce' ? 'is refused' : 'is only shown'}`;
}
