import type { JSX } from 'preact';
import { TRUST_PRESETS } from '../../../server/src/domain/trust-presets.ts';
import type { TrustRuleJson } from '../../../server/src/domain/trust-rule-json.ts';
import { matchText } from '../../../server/src/domain/trust-rule-text.ts';
import { duration, plural } from '../format.ts';
import { Card } from '../ui/page.tsx';

/** What the tokens of a rule must say. */
export function TrustRule({ rule }: { rule: TrustRuleJson }): JSX.Element {
  const { preset, issuer, subject, audience, other_audiences: others, claims } = rule;
  const title = TRUST_PRESETS.find(({ name }) => name === preset)?.title;
  return (
    <Card title="What its tokens must say">
      <dl class="facts">
        {title !== undefined && (
          <>
            <dt>Platform</dt>
            <dd>{title}</dd>
          </>
        )}
        <Condition name="iss" text={matchText(issuer)} />
        <Condition name="sub" text={subject === '*' ? 'anything' : matchText(subject)} />
        {Object.entries(claims).map(([name, match]) => (
          <Condition key={name} name={name} text={matchText(match)} />
        ))}
        <Condition name="aud" text={`${matchText(audience)}${others ? ' and others' : ''}`} />
        <dt>Life</dt>
        <dd>at most {duration(rule.life_seconds_max * 1000)}</dd>
        <dt>A token works</dt>
        <dd>{rule.reuse === 'once' ? 'once' : 'until it expires'}</dd>
        <dt>Keys of the issuer</dt>
        <dd>{keysText(rule)}</dd>
      </dl>
    </Card>
  );
}

function Condition({ name, text }: { name: string; text: string }): JSX.Element {
  return (
    <>
      <dt>
        <code class="breakable">{name}</code>
      </dt>
      <dd>
        <code>{text}</code>
      </dd>
    </>
  );
}

function keysText({ keys }: TrustRuleJson): JSX.Element {
  switch (keys.from) {
    case 'discovery':
      return <>found by OpenID discovery</>;
    case 'url':
      return <code>{keys.url}</code>;
    case 'inline':
      return <>{plural(keys.jwks.keys.length, 'key')}, held by the rule</>;
  }
}
