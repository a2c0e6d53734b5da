import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { post } from '../api/client.ts';
import type {
  OpenedSecretLinkJson,
  SecretLinkOfferJson,
} from '../../../server/src/http/admin/secret-link.wire.ts';
import { paths } from '../paths.ts';
import { useAction } from '../ui/action.ts';
import { TextField } from '../ui/field.tsx';
import { Form, FormEnd } from '../ui/form.tsx';
import { Mark } from '../ui/icon.tsx';
import { Skeleton } from '../ui/loaded.tsx';
import { Failure, Notice } from '../ui/notice.tsx';
import { SecretOnce } from '../ui/secret-once.tsx';
import { At } from '../ui/time.tsx';
import { Door } from './sign-in.tsx';

/** The link's token, removed from the address bar and history before anything else. */
const token = takeToken();

function takeToken(): string {
  if (location.pathname !== paths.secret) return '';
  const fragment = location.hash.slice(1);
  if (fragment !== '') history.replaceState(null, '', location.pathname);
  return fragment;
}

/** The page of a link that hands a secret over. Opening the page makes no secret; the button does. */
export function SecretLinkPage(): JSX.Element {
  const [offer, setOffer] = useState<SecretLinkOfferJson | null>(null);
  const [opened, setOpened] = useState<OpenedSecretLinkJson | null>(null);
  const { run, error } = useAction(async () => {
    setOffer(await post<SecretLinkOfferJson>('/secret-links/inspect', { token }, { signIn: false }));
  });
  useEffect(() => {
    document.title = 'A secret for you · Mintmark';
    if (token !== '') run();
  }, [run]);
  if (opened !== null) return <Opened opened={opened} />;
  return (
    <Door title="A secret for you">
      {token === '' ? (
        <Notice kind="warn" title="This page needs the complete link">
          <p>Open the link again. A reload of this page loses it. If the secret was shown, it is gone.</p>
        </Notice>
      ) : offer !== null ? (
        <OpenForm offer={offer} onOpened={setOpened} />
      ) : error === undefined ? (
        <Skeleton size="line" />
      ) : (
        <Failure error={error}>
          <p>Ask the person who sent it for a new link.</p>
        </Failure>
      )}
    </Door>
  );
}

function OpenForm(props: {
  offer: SecretLinkOfferJson;
  onOpened: (opened: OpenedSecretLinkJson) => void;
}): JSX.Element {
  const { offer, onOpened } = props;
  const [passphrase, setPassphrase] = useState('');
  const action = useAction(async () => {
    const body = { token, ...(offer.needs_passphrase && { passphrase }) };
    onOpened(await post<OpenedSecretLinkJson>('/secret-links/open', body, { signIn: false }));
  });
  return (
    <Form onSubmit={() => action.run()} guarded={false}>
      <p>
        This link has a new secret of <strong class="breakable">{offer.api_user_name}</strong>. It is shown
        once, so open it where you can store it. The link ends <At at={offer.expires_at} />.
      </p>
      {offer.needs_passphrase && (
        <TextField
          label="Passphrase"
          hint="The sender of the link knows it."
          value={passphrase}
          onInput={setPassphrase}
          required
          autofocus
        />
      )}
      <FormEnd action={action} verb="Show the secret" />
    </Form>
  );
}

function Opened({ opened }: { opened: OpenedSecretLinkJson }): JSX.Element {
  const [isDone, setDone] = useState(false);
  if (isDone) {
    return (
      <Door title="You have it">
        <p>You can close this page. The link opens nothing any more.</p>
      </Door>
    );
  }
  return (
    <main class="door wide" id="main">
      <span class="brand">
        <Mark size={32} />
        Mintmark
      </span>
      <section class="card" aria-labelledby="door-title">
        <h1 id="door-title" class="breakable">
          The secret of {opened.api_user_name}
        </h1>
        <OldOnes old={opened.old_credentials} />
        <SecretOnce
          shown={{
            clientId: opened.client_id,
            name: opened.api_user_name,
            credentialId: opened.credential_id,
            kind: 'secret',
            secret: opened.client_secret,
          }}
          live={null}
          buttonText="Done"
          onDone={() => setDone(true)}
        />
      </section>
    </main>
  );
}

function OldOnes({ old }: { old: OpenedSecretLinkJson['old_credentials'] }): JSX.Element | null {
  if (old.length === 0) return null;
  return (
    <ul class="consequences" aria-label="The old ones">
      {old.map(({ id, name, expires_at: at }) => (
        <li key={id} class="breakable">
          “{name}” (<code>{id}</code>) ends{' '}
          {at === null ? 'when no program uses it any more' : <At at={at} />}.
        </li>
      ))}
    </ul>
  );
}
