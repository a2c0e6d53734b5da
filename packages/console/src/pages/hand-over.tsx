import type { JSX } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { useRoute } from 'preact-iso/router';
import { newIdempotencyKey, post, request } from '../api/client.ts';
import { apiUserPath } from '../api/paths.ts';
import type { ApiUserJson } from '../../../server/src/http/admin/api-user.wire.ts';
import type {
  CreatedSecretLinkJson,
  SecretLinkJson,
} from '../../../server/src/http/admin/secret-link.wire.ts';
import { paths } from '../paths.ts';
import { announce } from '../state/announce.ts';
import { useResource } from '../state/resource.ts';
import { useMay } from '../state/session.ts';
import { useAction } from '../ui/action.ts';
import { Button, LinkButton } from '../ui/button.tsx';
import { expiryOf, NameAndExpiry } from '../ui/expiry.tsx';
import { CheckField, ChoiceField, PasswordField, SelectField, type Choice } from '../ui/field.tsx';
import { Form, FormEnd } from '../ui/form.tsx';
import { LinkOnce } from '../ui/link-once.tsx';
import { Loaded } from '../ui/loaded.tsx';
import { Failure } from '../ui/notice.tsx';
import { Card, Page } from '../ui/page.tsx';
import { ReadOnly } from '../ui/read-only.tsx';
import { Ago } from '../ui/time.tsx';
import { isNoSuchApiUser, NoSuchApiUser } from './no-such-api-user.tsx';

export function HandOverPage(): JSX.Element {
  const { clientId = '' } = useRoute().params;
  return <HandOver key={clientId} clientId={clientId} />;
}

/** Hands a new secret over by a one-time link: the operator never sees the secret. */
function HandOver({ clientId }: { clientId: string }): JSX.Element {
  const mayWrite = useMay('operator');
  const user = useResource<ApiUserJson>(apiUserPath(clientId));
  const links = useResource<{ items: SecretLinkJson[] }>(`${apiUserPath(clientId)}/secret-links`, [
    { noun: 'api_user', id: clientId },
  ]);
  const [created, setCreated] = useState<CreatedSecretLinkJson | null>(null);
  if (isNoSuchApiUser(user)) return <NoSuchApiUser clientId={clientId} />;
  return (
    <Page
      title="Hand over by a link"
      back={{ href: paths.apiUser(clientId), text: user.data?.name ?? 'API user' }}
      lead="The link makes a new secret when it is opened, once. Only the person who opens it sees the secret."
      narrow
    >
      {mayWrite ? (
        <LinkForm
          clientId={clientId}
          onCreated={(link) => {
            setCreated(link);
            links.reload();
          }}
        />
      ) : (
        <ReadOnly text="An operator or admin can make such links." />
      )}
      <Card title="Links that wait">
        <Loaded from={links}>
          {({ items }) => <Waiting items={items} onChanged={mayWrite ? links.reload : null} />}
        </Loaded>
      </Card>
      {created !== null && (
        <LinkOnce
          title="The link"
          text="Give it to the person who needs the secret. It works once."
          url={created.url}
          expiresAt={created.link.expires_at}
          onClose={() => setCreated(null)}
        />
      )}
    </Page>
  );
}

const LIVES = [
  { value: '3600', text: 'For an hour' },
  { value: '86400', text: 'For a day' },
  { value: '259200', text: 'For three days' },
  { value: '604800', text: 'For a week' },
] as const;

/** What becomes of the live secrets once the link was opened. */
type Old = 'keep' | 'quiet' | 'day';

const OLD: readonly Choice<Old>[] = [
  { value: 'keep', text: 'stay', hint: 'The new one is added.' },
  {
    value: 'quiet',
    text: 'end when quiet',
    hint: 'Automatically, when the new one was used and the old ones were unused for 25 hours.',
  },
  { value: 'day', text: 'end a day later', hint: 'A day after the link was opened.' },
];

const DAY_SECONDS = 86_400;
const RESETS = {
  keep: undefined,
  quiet: { when_quiet: true },
  day: { overlap_seconds: DAY_SECONDS },
} as const;

/** Creates a link. A repetition of the same request after a lost answer creates no second one. */
function useLinkCreation(clientId: string): (body: object) => Promise<CreatedSecretLinkJson> {
  const attempt = useRef({ key: newIdempotencyKey(), body: '' });
  return async (body) => {
    const text = JSON.stringify(body);
    if (attempt.current.body !== text) attempt.current = { key: newIdempotencyKey(), body: text };
    const options = { idempotencyKey: attempt.current.key };
    const created = await post<CreatedSecretLinkJson>(`${apiUserPath(clientId)}/secret-links`, body, options);
    attempt.current = { key: newIdempotencyKey(), body: '' };
    return created;
  };
}

function LinkForm(props: {
  clientId: string;
  onCreated: (created: CreatedSecretLinkJson) => void;
}): JSX.Element {
  const { clientId, onCreated } = props;
  const [name, setName] = useState('');
  const [days, setDays] = useState('');
  const [life, setLife] = useState('86400');
  const [old, setOld] = useState<Old>('keep');
  const [passphrase, setPassphrase] = useState<string | null>(null);
  const create = useLinkCreation(clientId);
  const action = useAction(async () => {
    const reset = RESETS[old];
    const body = {
      name: name.trim(),
      ...expiryOf(days),
      link_seconds: Number(life),
      ...(reset !== undefined && { reset }),
      ...(passphrase !== null && { passphrase }),
    };
    const created = await create(body);
    setName('');
    setPassphrase(null);
    onCreated(created);
  });
  return (
    <Form onSubmit={() => action.run()} class="card" guarded={name !== ''}>
      <NameAndExpiry
        label="Name of the new secret"
        hint="Where it will be deployed: “production, cluster 2”."
        name={name}
        onName={setName}
        days={days}
        onDays={setDays}
        errorOf={action.errorOf}
      />
      <SelectField
        label="The link can be opened"
        value={life}
        options={LIVES}
        onInput={setLife}
        error={action.errorOf('link_seconds')}
      />
      <ChoiceField<Old> label="The old secrets" value={old} choices={OLD} onInput={setOld} />
      <PassphraseFields value={passphrase} onInput={setPassphrase} error={action.errorOf('passphrase')} />
      <FormEnd action={action} verb="Create the link">
        <LinkButton kind="quiet" href={paths.apiUser(clientId)}>
          Cancel
        </LinkButton>
      </FormEnd>
    </Form>
  );
}

/** Null: the link needs no passphrase. */
function PassphraseFields(props: {
  value: string | null;
  onInput: (passphrase: string | null) => void;
  error: string | null;
}): JSX.Element {
  const { value, onInput, error } = props;
  return (
    <>
      <CheckField
        label="The link also needs a passphrase"
        checked={value !== null}
        onInput={(isChecked) => onInput(isChecked ? '' : null)}
      />
      {value !== null && (
        <PasswordField
          label="Passphrase"
          hint="8 to 128 characters. Tell it another way than the link. Five wrong ones end the link."
          autocomplete="new-password"
          value={value}
          onInput={onInput}
          error={error}
        />
      )}
    </>
  );
}

function Waiting(props: { items: readonly SecretLinkJson[]; onChanged: (() => void) | null }): JSX.Element {
  const { items, onChanged } = props;
  const remove = useAction(async (link: SecretLinkJson) => {
    await request('DELETE', `${apiUserPath(link.client_id)}/secret-links/${link.id}`);
    announce('The link opens nothing any more.');
    onChanged?.();
  });
  if (items.length === 0) return <p class="soft">No link waits to be opened.</p>;
  return (
    <>
      <ul class="plain-list">
        {items.map((link) => (
          <li key={link.id} class="row apart">
            <span>
              <strong class="breakable">{link.credential_name}</strong>{' '}
              <span class="soft">
                ends <Ago at={link.expires_at} />
                {link.passphrase && ', with a passphrase'}, by {link.created_by}
              </span>
            </span>
            {onChanged !== null && (
              <Button small kind="danger-quiet" onClick={() => remove.run(link)}>
                Remove<span class="unseen"> the link {link.credential_name}</span>
              </Button>
            )}
          </li>
        ))}
      </ul>
      <Failure error={remove.error} />
    </>
  );
}
