import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { useRoute } from 'preact-iso/router';
import type { ApiUserJson } from '../../../server/src/http/admin/api-user.wire.ts';
import { apiUserPath } from '../api/paths.ts';
import { paths } from '../paths.ts';
import { useResource } from '../state/resource.ts';
import { useMay } from '../state/session.ts';
import { useAction } from '../ui/action.ts';
import { LinkButton } from '../ui/button.tsx';
import { CodeBlock } from '../ui/copy.tsx';
import { expiryOf, NameAndExpiry } from '../ui/expiry.tsx';
import { ChoiceField, TextAreaField, TextField, type Choice } from '../ui/field.tsx';
import { Form, FormEnd } from '../ui/form.tsx';
import { Page } from '../ui/page.tsx';
import { ReadOnly } from '../ui/read-only.tsx';
import { useCredentialCreation } from './credential-creation.ts';
import { isNoSuchApiUser, NoSuchApiUser } from './no-such-api-user.tsx';

export function AddKeyPage(): JSX.Element {
  const { clientId = '' } = useRoute().params;
  return <AddKey key={clientId} clientId={clientId} />;
}

function AddKey({ clientId }: { clientId: string }): JSX.Element {
  const mayWrite = useMay('operator');
  const user = useResource<ApiUserJson>(apiUserPath(clientId));
  if (isNoSuchApiUser(user)) return <NoSuchApiUser clientId={clientId} />;
  return (
    <Page
      title="Add a key"
      back={{ href: paths.apiUser(clientId), text: user.data?.name ?? 'API user' }}
      lead="The program signs with its private key, which never leaves it. Here you register the public key."
      narrow
    >
      {mayWrite ? <KeyForm clientId={clientId} /> : <ReadOnly text="An operator or admin can add keys." />}
    </Page>
  );
}

type Source = 'text' | 'url';

const SOURCES: readonly Choice<Source>[] = [
  { value: 'text', text: 'pasted here' },
  {
    value: 'url',
    text: 'behind a URL',
    hint: 'A key set (JWKS) of the integrator. Mintmark fetches it, so the integrator can rotate the key.',
  },
];

function KeyForm({ clientId }: { clientId: string }): JSX.Element {
  const [source, setSource] = useState<Source>('text');
  const [publicKey, setPublicKey] = useState('');
  const [url, setUrl] = useState('');
  const [name, setName] = useState('');
  const [days, setDays] = useState('');
  const create = useCredentialCreation(clientId);
  const action = useAction(() => {
    const key = source === 'text' ? { public_key: publicKey.trim() } : { jwks_url: url.trim() };
    return create({ name: name.trim(), ...expiryOf(days), ...key });
  });
  return (
    <Form onSubmit={() => action.run()} class="card">
      <ChoiceField label="The public key is" value={source} choices={SOURCES} onInput={setSource} />
      {source === 'text' ? (
        <PublicKeyField value={publicKey} onInput={setPublicKey} error={action.errorOf('public_key')} />
      ) : (
        <TextField
          label="URL of the key set"
          placeholder="https://integrator.example.com/keys"
          inputMode="url"
          value={url}
          onInput={setUrl}
          error={action.errorOf('jwks_url')}
          required
          maxLength={512}
          mono
        />
      )}
      <NameAndExpiry
        label="Name of the key"
        hint="Where it is used: “production, cluster 2”."
        name={name}
        onName={setName}
        days={days}
        onDays={setDays}
        errorOf={action.errorOf}
      />
      <FormEnd action={action} verb="Add the key">
        <LinkButton kind="quiet" href={paths.apiUser(clientId)}>
          Cancel
        </LinkButton>
      </FormEnd>
    </Form>
  );
}

function PublicKeyField(props: {
  value: string;
  onInput: (text: string) => void;
  error: string | null;
}): JSX.Element {
  const { value, onInput, error } = props;
  return (
    <>
      <TextAreaField
        label="Public key"
        hint="PEM, JWK, or a JWKS with one key: P-256, P-384, Ed25519, or RSA of 2048 to 4096 bits. Never a private key."
        placeholder="-----BEGIN PUBLIC KEY-----"
        rows={6}
        value={value}
        onInput={onInput}
        error={error}
        required
        maxLength={32_768}
      />
      <details>
        <summary>How the integrator makes a key</summary>
        <div class="stack tight">
          <p class="hint">
            With OpenSSL, or with mintmark. The private key stays in importer.pem; send only the public key.
          </p>
          <CodeBlock text={OPENSSL} what="the commands of OpenSSL" />
          <CodeBlock text={MINTMARK} what="the command of mintmark" />
        </div>
      </details>
    </>
  );
}

const OPENSSL = `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out importer.pem
openssl pkey -in importer.pem -pubout`;
const MINTMARK = 'npx mintmark key generate importer.pem';
