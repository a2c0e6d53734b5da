import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { TrustCheckJson } from '../../../server/src/http/admin/trust-check.wire.ts';
import { post } from '../api/client.ts';
import { apiUserPath } from '../api/paths.ts';
import { paths } from '../paths.ts';
import { useMay } from '../state/session.ts';
import { useAction } from '../ui/action.ts';
import { Badge } from '../ui/badge.tsx';
import { LinkButton } from '../ui/button.tsx';
import { TextAreaField } from '../ui/field.tsx';
import { Form, FormEnd } from '../ui/form.tsx';
import { Notice } from '../ui/notice.tsx';

/**
 * Checks a pasted token against the trust rules of an API user. The token stays in the memory of this page
 * until the answer comes.
 */
export function TokenCheck({ clientId }: { clientId: string }): JSX.Element {
  const [token, setToken] = useState('');
  const [check, setCheck] = useState<TrustCheckJson | null>(null);
  const action = useAction(async () => {
    setCheck(null);
    setCheck(await post<TrustCheckJson>(`${apiUserPath(clientId)}/trust-check`, { token: token.trim() }));
    setToken('');
  });
  return (
    <div class="stack">
      <Form onSubmit={() => action.run()} guarded={false}>
        <TextAreaField
          label="Token of the workload"
          hint="It goes to this server for the check only. It is neither stored nor logged, and it is not used up."
          placeholder="eyJ…"
          rows={4}
          value={token}
          onInput={setToken}
          error={action.errorOf('token')}
          required
          maxLength={8192}
        />
        <FormEnd action={action} verb="Check the token" kind="plain" />
      </Form>
      <div class="stack" role="status">
        {check !== null && <Outcome clientId={clientId} check={check} />}
      </div>
    </div>
  );
}

function Outcome({ clientId, check }: { clientId: string; check: TrustCheckJson }): JSX.Element {
  const { passes, problem, issuer, rules } = check;
  if (problem !== null)
    return (
      <Notice kind="danger" title="It is no token that a rule can check">
        <p class="breakable">{problem}</p>
      </Notice>
    );
  return (
    <>
      {passes ? (
        <Notice kind="good" title="It would pass">
          <p>With this token, the workload gets an access token.</p>
        </Notice>
      ) : (
        <Notice kind="danger" title="It would be refused">
          <p class="breakable">
            {issuer === null ? 'It names no issuer (iss)' : `It comes from ${issuer}`}, and no live trust rule
            of this API user accepts it.
          </p>
        </Notice>
      )}
      <ul class="plain-list" aria-label="Rules">
        {rules.map((rule) => (
          <Rule key={rule.credential_id} clientId={clientId} rule={rule} />
        ))}
      </ul>
    </>
  );
}

type RuleCheck = TrustCheckJson['rules'][number];

function Rule({ clientId, rule }: { clientId: string; rule: RuleCheck }): JSX.Element {
  const mayWrite = useMay('operator');
  const { credential_id: id, name, passes, failed } = rule;
  return (
    <li class="stack tight">
      <div class="row">
        <Badge kind={passes ? 'good' : 'danger'}>{passes ? 'passes' : 'fails'}</Badge>
        <a class="breakable" href={paths.credential(clientId, id)}>
          {name}
        </a>
      </div>
      {failed !== null && (
        <>
          <p>
            The first check that fails: <strong class="breakable">{checkText(failed)}</strong>
          </p>
          <dl class="facts small">
            <dt>The rule expects</dt>
            <dd>
              <code>{failed.expected}</code>
            </dd>
            <dt>The token has</dt>
            <dd>
              <code>{failed.actual}</code>
            </dd>
          </dl>
          {mayWrite && OF_THE_RULE.has(failed.check) && (
            <div>
              <LinkButton small icon="edit" href={`${paths.trust(clientId)}?like=${id}`}>
                Correct it in a new rule<span class="unseen"> like {name}</span>
              </LinkButton>
            </div>
          )}
        </>
      )}
    </li>
  );
}

/** Checks that another rule can pass. */
const OF_THE_RULE: ReadonlySet<string> = new Set(['issuer', 'subject', 'audience', 'claim', 'life']);

const CHECKS: ReadonlyMap<string, string> = new Map([
  ['issuer', 'the issuer (iss)'],
  ['subject', 'the subject (sub)'],
  ['audience', 'the audience (aud)'],
  ['no_expiry', 'the expiry time (exp)'],
  ['no_issue_time', 'the time of issue (iat)'],
  ['life', 'the life of the token'],
  ['not_yet', 'the time from which it is valid'],
  ['expired', 'the expiry time (exp)'],
  ['header', 'the header'],
  ['algorithm', 'the algorithm of the signature'],
  ['key', 'the key of the signature'],
  ['signature', 'the signature'],
  ['keys_away', 'the keys of the issuer, which does not answer'],
]);

function checkText({ check, name }: NonNullable<RuleCheck['failed']>): string {
  return check === 'claim' && name !== undefined
    ? `the claim ${name}`
    : (CHECKS.get(check) ?? check.replaceAll('_', ' '));
}
