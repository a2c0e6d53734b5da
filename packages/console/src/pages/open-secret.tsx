import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { post } from '../api/client.ts';
import type {
  OpenedSecretLinkJson,
  SecretLinkOfferJson,
} from '../../../server/src/http/admin/secret-link.wire.ts';
import { paths } from '../paths.ts';
import { takeLinkToken } from '../state/link-token.ts';
import { useAction } from '../ui/action.ts';
import { PasswordField } from '../ui/field.tsx';
import { Form, FormEnd } from '../ui/form.tsx';
import { Skeleton } from '../ui/loaded.tsx';
import { Failure, Notice } from '../ui/notice.tsx';
import { SecretOnce } from '../ui/secret-once.tsx';
import { At } from '../ui/time.tsx';
import { Door } from './sign-in.tsx';

/** Before anything else, so that nothing else sees it. */
const token = takeLinkToken(paths.secret);

/** The page of a link that hands a secret over. Only its button opens the link. */
export function OpenSecretPage(): JSX.Element {
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
          <p>Open the link again. A reload of this page loses it.</p>
        </Notice>
      ) : offer !== null ? (
        <OpenForm offer={offer} onOpened={setOpened} />
      ) : error === undefined ? (
        <Skeleton size="line" />
      ) : (
        <Failure error={error} />
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
        This link makes a secret for the API user <strong class="breakable">{offer.api_user_name}</strong>. It
        works once, until <At at={offer.expires_at} />.
      </p>
      <p class="soft">The secret is shown only once. Open the link where you can store the secret.</p>
      {offer.needs_passphrase && (
        <PasswordField
          label="Passphrase"
          autocomplete="current-password"
          hint="The person who sent the link knows it."
          value={passphrase}
          onInput={setPassphrase}
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
      <Door title="Done">
        <p>You can close this page. The link works no longer.</p>
      </Door>
    );
  }
  const { old_credentials: old } = opened;
  return (
    <Door title={opened.api_user_name} isWide>
      {old.length > 0 && (
        <Notice title="It replaces the old ones">
          <ul class="consequences">
            {old.map(({ id, name, expires_at: end }) => (
              <li key={id}>
                <strong class="breakable">{name}</strong> (<code>{id}</code>){' '}
                {end === null ? 'ends once nothing uses it any more' : <EndsAt end={end} />}
              </li>
            ))}
          </ul>
        </Notice>
      )}
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
    </Door>
  );
}

function EndsAt({ end }: { end: string }): JSX.Element {
  return (
    <>
      works until <At at={end} />
    </>
  );
}
