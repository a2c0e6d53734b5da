import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { useRoute } from 'preact-iso/router';
import type { ApiUserJson } from '../../../server/src/http/admin/api-user.wire.ts';
import type { CredentialJson } from '../../../server/src/http/admin/credential.wire.ts';
import { TRUST_PRESETS } from '../../../server/src/domain/trust-presets.ts';
import type { TrustRuleInput } from '../../../server/src/domain/trust-rule-json.ts';
import { apiUserPath } from '../api/paths.ts';
import { Problem } from '../api/problem.ts';
import { config } from '../config.ts';
import { paths } from '../paths.ts';
import { usePolicy } from '../state/organisation.ts';
import { useQuery } from '../state/query.ts';
import { useResource } from '../state/resource.ts';
import { useMay } from '../state/session.ts';
import { useAction, type Action } from '../ui/action.ts';
import { LinkButton } from '../ui/button.tsx';
import { expiryOf, NameAndExpiry } from '../ui/expiry.tsx';
import { CheckField, SelectField } from '../ui/field.tsx';
import { Form, FormEnd } from '../ui/form.tsx';
import { Chips } from '../ui/list-field.tsx';
import { Loaded } from '../ui/loaded.tsx';
import { Notice } from '../ui/notice.tsx';
import { Page } from '../ui/page.tsx';
import { ReadOnly } from '../ui/read-only.tsx';
import { useCredentialCreation } from './credential-creation.ts';
import { isNoSuchApiUser, NoSuchApiUser } from './no-such-api-user.tsx';
import { draftOf, emptyDraft, ruleOf, ruleText, type TrustDraft } from './trust-draft.ts';
import { PresetFields, presetRule } from './trust-preset-fields.tsx';
import { TrustRuleFields } from './trust-rule-fields.tsx';

export function TrustPage(): JSX.Element {
  const { clientId = '' } = useRoute().params;
  return <Trust key={clientId} clientId={clientId} />;
}

/** The form of a new trust rule. `like` in the URL names a rule to begin with. */
function Trust({ clientId }: { clientId: string }): JSX.Element {
  const mayWrite = useMay('operator');
  const [{ like }] = useQuery();
  const path = apiUserPath(clientId);
  const user = useResource<ApiUserJson>(path);
  const credentials = useResource<{ items: CredentialJson[] }>(`${path}/credentials`);
  if (isNoSuchApiUser(user)) return <NoSuchApiUser clientId={clientId} />;
  return (
    <Page
      title="Trust a workload"
      back={{ href: paths.apiUser(clientId), text: user.data?.name ?? 'API user' }}
      lead="The program proves itself with a token that its platform gives it. There is no secret to store, to leak or to replace."
      narrow
    >
      <AllowedIssuers />
      {mayWrite ? (
        <Loaded from={credentials} size="tall">
          {({ items }) => {
            const model = items.find(({ id }) => id === like);
            return <TrustForm key={model?.id ?? ''} clientId={clientId} model={model} />;
          }}
        </Loaded>
      ) : (
        <ReadOnly text="An operator or admin can create trust rules." />
      )}
    </Page>
  );
}

/** The value of the choice for a rule without a preset. */
const OWN = 'own';
const PLATFORMS = [
  ...TRUST_PRESETS.map(({ name, title }) => ({ value: name, text: title })),
  { value: OWN, text: 'Another issuer: write the rule' },
];

/** The issuers of trust rules that the policy of the organisation allows. */
function AllowedIssuers(): JSX.Element | null {
  const policy = usePolicy();
  if (policy === null) return null;
  const { trust_issuers: issuers } = policy;
  return (
    <Notice
      kind={issuers.length === 0 ? 'warn' : 'info'}
      title={
        issuers.length === 0
          ? 'Your organisation may trust no issuer yet'
          : 'Your organisation may trust tokens of'
      }
    >
      {issuers.length === 0 ? (
        <p>Ask the operator of the platform to add the issuer of your workload to the policy.</p>
      ) : (
        <Chips items={issuers} none="" />
      )}
    </Notice>
  );
}

interface TrustFormProps {
  clientId: string;
  /** A rule to begin with. */
  model: CredentialJson | undefined;
}

function TrustForm({ clientId, model }: TrustFormProps): JSX.Element {
  const [platform, setPlatform] = useState(model === undefined ? 'github' : OWN);
  const [values, setValues] = useState<Readonly<Record<string, string>>>({});
  const [audience, setAudience] = useState(config.issuer);
  const [draft, setDraft] = useState<TrustDraft>(() =>
    model?.trust_rule === undefined ? emptyDraft(config.issuer) : draftOf(model.trust_rule),
  );
  const [name, setName] = useState(model?.name ?? '');
  const [days, setDays] = useState('');
  const [forced, setForced] = useState(false);
  const [wasTried, setTried] = useState(false);
  const preset = TRUST_PRESETS.find((one) => one.name === platform);
  const own = ruleOf(draft);
  const fromPreset = preset === undefined ? null : presetRule(preset, values, audience.trim());

  const change = (changes: Partial<TrustDraft>) => setDraft((before) => ({ ...before, ...changes }));
  const create = useCredentialCreation(clientId);
  const action = useAction(async () => {
    setTried(true);
    const rule = fromPreset === null ? own.rule : fromPreset.rule;
    if (rule === null || (fromPreset === null && own.faults.size > 0)) return;
    await create({ name: name.trim(), ...expiryOf(days), trust_rule: rule, ...(forced && { force: true }) });
  });
  return (
    <Form onSubmit={() => action.run()} class="card">
      <SelectField
        label="The workload runs in"
        value={platform}
        options={PLATFORMS}
        onInput={(value) => {
          setPlatform(value);
          setTried(false);
          action.clear();
        }}
      />
      {preset === undefined ? (
        <OwnRule draft={draft} onChange={change} own={own} action={action} />
      ) : (
        <PresetFields
          key={preset.name}
          preset={preset}
          values={values}
          onValue={(field, value) => setValues((before) => ({ ...before, [field]: value }))}
          audience={audience}
          onAudience={setAudience}
          wasTried={wasTried}
        />
      )}
      <NameAndExpiry
        label="Name of the rule"
        hint="The workload, for colleagues: “nightly import, production”."
        name={name}
        onName={setName}
        days={days}
        onDays={setDays}
        errorOf={action.errorOf}
      />
      {preset === undefined && <TooWide action={action} forced={forced} onForce={setForced} />}
      <FormEnd action={action} verb="Create the rule">
        <LinkButton kind="quiet" href={paths.apiUser(clientId)}>
          Cancel
        </LinkButton>
      </FormEnd>
    </Form>
  );
}

function OwnRule(props: {
  draft: TrustDraft;
  onChange: (change: Partial<TrustDraft>) => void;
  own: ReturnType<typeof ruleOf>;
  action: Action<[]>;
}): JSX.Element {
  const { draft, onChange, own, action } = props;
  const { rule, faults } = own;
  return (
    <>
      <TrustRuleFields
        draft={draft}
        onChange={onChange}
        errorOf={(member) => faults.get(member) ?? action.errorOf(`trust_rule/${member}`)}
      />
      <LetsIn rule={rule.issuer !== '' && rule.subject !== '' ? rule : null} />
    </>
  );
}

function LetsIn({ rule }: { rule: TrustRuleInput | null }): JSX.Element {
  return (
    <Notice title="This lets in">
      <p class="breakable" aria-live="polite">
        {rule === null ? 'Nothing yet: name the issuer and the subject.' : `All ${ruleText(rule)}.`}
      </p>
    </Notice>
  );
}

/** Offers to force a rule that the server refused because it matches more than is safe. */
function TooWide(props: {
  action: Action<[]>;
  forced: boolean;
  onForce: (forced: boolean) => void;
}): JSX.Element | null {
  const { action, forced, onForce } = props;
  const isTooWide =
    action.error instanceof Problem && action.error.errors.some(({ detail }) => detail.includes('Forced,'));
  if (!isTooWide && !forced) return null;
  return (
    <CheckField
      label="Create it although it lets in more than is safe"
      hint="The audit log shows that it was forced."
      checked={forced}
      onInput={onForce}
    />
  );
}
