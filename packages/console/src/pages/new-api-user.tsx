import type { JSX } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { useLocation } from 'preact-iso/router';
import { newIdempotencyKey, post } from '../api/client.ts';
import { Problem } from '../api/problem.ts';
import type { CreatedApiUserJson } from '../../../server/src/http/admin/api-user.wire.ts';
import { paths } from '../paths.ts';
import { handOver } from '../state/hand-over.ts';
import { useMay } from '../state/session.ts';
import { useAction } from '../ui/action.ts';
import { LinkButton } from '../ui/button.tsx';
import { ExpiryField, expiryOf } from '../ui/expiry.tsx';
import { CheckField, TextField } from '../ui/field.tsx';
import { Notice } from '../ui/notice.tsx';
import { Page } from '../ui/page.tsx';
import { NO_SETTINGS, SettingsFields, type EditableSettings } from './api-user-form.tsx';
import { Form, FormEnd } from '../ui/form.tsx';

const BACK = { href: paths.apiUsers, text: 'API users' };

export function NewApiUserPage(): JSX.Element {
  const mayWrite = useMay('operator');
  const { route } = useLocation();
  if (!mayWrite) {
    return (
      <Page title="New API user" back={BACK} narrow>
        <Notice title="Your role is read-only">
          <p>An operator or admin can create API users. An admin can give you the role.</p>
        </Notice>
      </Page>
    );
  }
  const showSecret = ({ api_user: user, credential, client_secret: secret }: CreatedApiUserJson) => {
    if (credential === undefined || secret === undefined) return route(paths.apiUser(user.client_id), true);
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
    <Page title="New API user" lead="For one program that calls your APIs." back={BACK} narrow>
      <CreateForm onMade={showSecret} />
    </Page>
  );
}

function CreateForm({ onMade }: { onMade: (created: CreatedApiUserJson) => void }): JSX.Element {
  const [settings, setSettings] = useState<EditableSettings>(NO_SETTINGS);
  const [withSecret, setWithSecret] = useState(true);
  const [secretName, setSecretName] = useState('');
  const [days, setDays] = useState('');
  // The same key for each attempt, so that a lost response does not create a second API user.
  const attempt = useRef({ key: newIdempotencyKey(), body: '' });
  const action = useAction(async () => {
    const secret = withSecret && { name: secretName.trim() || 'first secret', ...expiryOf(days) };
    const body = { ...settings, name: settings.name.trim(), secret };
    const text = JSON.stringify(body);
    if (attempt.current.body !== text) attempt.current = { key: newIdempotencyKey(), body: text };
    try {
      onMade(await post<CreatedApiUserJson>('/api-users', body, { idempotencyKey: attempt.current.key }));
    } catch (error) {
      // After a final refusal, the next request is a new attempt, even with the same values.
      if (error instanceof Problem && error.status >= 400 && error.status < 500) attempt.current.body = '';
      throw error;
    }
  });
  return (
    <Form onSubmit={() => action.run()} class="card">
      <SettingsFields
        settings={settings}
        onChange={(change) => setSettings((before) => ({ ...before, ...change }))}
        errorOf={action.errorOf}
        autofocus
      />
      <fieldset class="stack">
        <legend class="label">First secret</legend>
        <CheckField
          label="Make a secret now"
          hint="It is shown once, on the next page."
          checked={withSecret}
          onInput={setWithSecret}
        />
        {withSecret && (
          <>
            <TextField
              label="Its name"
              optional
              hint="Where it will be deployed: “production, cluster 2”."
              value={secretName}
              onInput={setSecretName}
              error={action.errorOf('secret/name')}
              maxLength={200}
            />
            <ExpiryField days={days} onInput={setDays} error={action.errorOf('secret/expires_at')} />
          </>
        )}
      </fieldset>
      <FormEnd action={action} verb="Create">
        <LinkButton kind="quiet" href={paths.apiUsers}>
          Cancel
        </LinkButton>
      </FormEnd>
    </Form>
  );
}
