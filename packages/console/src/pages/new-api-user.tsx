import type { JSX } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { useLocation } from 'preact-iso/router';
import { newIdempotencyKey, post } from '../api/client.ts';
import { Problem } from '../api/problem.ts';
import type { CredentialKind } from '../../../server/src/domain/credential.ts';
import type { CreatedApiUserJson } from '../../../server/src/http/admin/api-user.wire.ts';
import { paths } from '../paths.ts';
import { site } from '../site.ts';
import { handOver } from '../state/hand-over.ts';
import { usePolicy } from '../state/organisation.ts';
import { useQuery } from '../state/query.ts';
import { useMay } from '../state/session.ts';
import { useAction } from '../ui/action.ts';
import { LinkButton } from '../ui/button.tsx';
import { ExpiryField, expiryOf } from '../ui/expiry.tsx';
import { CheckField, ChoiceField, TextField, type Choice } from '../ui/field.tsx';
import { Page } from '../ui/page.tsx';
import { NEW_API_USER } from './api-user-list.tsx';
import { NO_SETTINGS, SettingsFields, type EditableSettings } from './api-user-form.tsx';
import { Form, FormEnd } from '../ui/form.tsx';
import { ReadOnly } from '../ui/read-only.tsx';

const BACK = { href: paths.apiUsers, text: 'API users' };

export function NewApiUserPage(): JSX.Element {
  const mayWrite = useMay('operator');
  const { route } = useLocation();
  if (!mayWrite) {
    return (
      <Page title="New API user" back={BACK} narrow>
        <ReadOnly text="An operator or admin can create API users. An admin can give you the role." />
      </Page>
    );
  }
  const showSecret = (created: CreatedApiUserJson, first: First) => {
    const { api_user: user, credential, client_secret: secret } = created;
    if (credential === undefined || secret === undefined) return route(nextPage(user.client_id, first), true);
    handOver({
      clientId: user.client_id,
      name: user.name,
      credentialId: credential.id,
      kind: 'secret',
      secret,
    });
    route(paths.firstSecret(user.client_id), true);
    scrollTo(0, 0);
  };
  return (
    <Page
      title={NEW_API_USER}
      lead={`For one program that calls ${site.kind === 'console' ? 'your' : 'the'} APIs.`}
      back={BACK}
      narrow
    >
      <CreateForm onMade={showSecret} />
    </Page>
  );
}

function allowsFirst(policy: NonNullable<ReturnType<typeof usePolicy>>, first: First): boolean {
  if (first === 'trust' && policy.trust_issuers.length === 0) return false;
  return policy.credential_kinds.some((kind) => kind === first);
}

/** How the new API user proves itself first. */
type First = Exclude<CredentialKind, 'password'> | 'none';

function nextPage(clientId: string, first: First): string {
  if (first === 'key') return paths.addKey(clientId);
  return first === 'trust' ? paths.trust(clientId) : paths.apiUser(clientId);
}

const FIRSTS: readonly Choice<First>[] = [
  {
    value: 'secret',
    text: 'a secret',
    hint: 'It is shown once, on the next page. Works with every program.',
  },
  {
    value: 'key',
    text: 'a key of its own',
    hint: 'The program signs with a private key, which never leaves it. You register the public key next.',
  },
  {
    value: 'trust',
    text: 'a token of its platform',
    hint: 'For GitHub Actions, GitLab, Kubernetes and clouds: there is no secret to store. You write the rule next.',
  },
];

function firstSettings(policy: ReturnType<typeof usePolicy>): EditableSettings {
  if (policy === null) return NO_SETTINGS;
  const { audiences, api_user_limit_max: limit } = policy;
  return { ...NO_SETTINGS, audiences: audiences.slice(0, 1), limit_per_minute: limit };
}

interface FirstCredentialProps {
  firsts: typeof FIRSTS;
  value: { first: First; secretName: string; days: string };
  onFirst: (first: First) => void;
  onSecretName: (name: string) => void;
  onDays: (days: string) => void;
  errorOf: (member: string) => string | null;
}

/** The first credential: a secret for operators, what the policy allows for members. */
function FirstCredential(props: FirstCredentialProps): JSX.Element {
  const { firsts, value, onFirst, onSecretName, onDays, errorOf } = props;
  const { first, secretName, days } = value;
  const policy = usePolicy();
  const withSecret = first === 'secret';
  return (
    <fieldset class="stack">
      <legend class={policy === null ? 'label' : 'unseen'}>
        First {policy === null ? 'secret' : 'credential'}
      </legend>
      {policy === null ? (
        <CheckField
          label="Make a secret now"
          hint="It is shown once, on the next page."
          checked={withSecret}
          onInput={(checked) => onFirst(checked ? 'secret' : 'none')}
        />
      ) : (
        <ChoiceField<First> label="It proves itself by" value={first} choices={firsts} onInput={onFirst} />
      )}
      {withSecret && (
        <>
          <TextField
            label="Its name"
            optional
            hint="Where it will be deployed: “production, cluster 2”."
            value={secretName}
            onInput={onSecretName}
            error={errorOf('secret/name')}
            maxLength={200}
          />
          <ExpiryField days={days} onInput={onDays} error={errorOf('secret/expires_at')} />
        </>
      )}
    </fieldset>
  );
}

interface CreateFormProps {
  onMade: (created: CreatedApiUserJson, first: First) => void;
}

function CreateForm({ onMade }: CreateFormProps): JSX.Element {
  const policy = usePolicy();
  // Operators create one for an organisation from its page.
  const [{ organisation_id: organisationId = '' }] = useQuery();
  const firsts = FIRSTS.filter(({ value }) => policy === null || allowsFirst(policy, value));
  const [settings, setSettings] = useState<EditableSettings>(() => firstSettings(policy));
  const [first, setFirst] = useState<First>(firsts[0]?.value ?? 'none');
  const withSecret = first === 'secret';
  const [secretName, setSecretName] = useState('');
  const [days, setDays] = useState('');
  // The same key for each attempt, so that a lost response does not create a second API user.
  const attempt = useRef({ key: newIdempotencyKey(), body: '' });
  const action = useAction(async () => {
    const secret = withSecret && { name: secretName.trim() || 'first secret', ...expiryOf(days) };
    const { username, ...others } = settings;
    // Members may not send it.
    const settable = policy === null ? { ...others, username } : others;
    const body = {
      ...settable,
      name: settings.name.trim(),
      secret,
      ...(organisationId !== '' && { organisation_id: organisationId }),
    };
    const text = JSON.stringify(body);
    if (attempt.current.body !== text) attempt.current = { key: newIdempotencyKey(), body: text };
    try {
      const options = { idempotencyKey: attempt.current.key };
      onMade(await post<CreatedApiUserJson>('/api-users', body, options), first);
    } catch (error) {
      // After a final refusal, the next request is a new attempt, even with the same values.
      if (error instanceof Problem && error.status >= 400 && error.status < 500) attempt.current.body = '';
      throw error;
    }
  });
  return (
    <Form onSubmit={() => action.run()} class="card">
      {organisationId !== '' && (
        <p>
          For the organisation{' '}
          <a class="breakable" href={paths.organisation(organisationId)}>
            {organisationId}
          </a>
          , within its policy.
        </p>
      )}
      <SettingsFields
        settings={settings}
        onChange={(change) => setSettings((before) => ({ ...before, ...change }))}
        errorOf={action.errorOf}
        autofocus
      />
      <FirstCredential
        firsts={firsts}
        value={{ first, secretName, days }}
        onFirst={setFirst}
        onSecretName={setSecretName}
        onDays={setDays}
        errorOf={action.errorOf}
      />
      <FormEnd action={action} verb="Create">
        <LinkButton kind="quiet" href={paths.apiUsers}>
          Cancel
        </LinkButton>
      </FormEnd>
    </Form>
  );
}
