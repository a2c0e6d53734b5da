import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { request } from '../api/client.ts';
import type { CredentialJson } from '../../../server/src/http/admin/credential.wire.ts';
import { announce } from '../state/announce.ts';
import { useAction } from '../ui/action.ts';
import { CancelButton, Dialog } from '../ui/dialog.tsx';
import { ExpiryField, expiryOf } from '../ui/expiry.tsx';
import { TextField } from '../ui/field.tsx';
import { Form, FormEnd } from '../ui/form.tsx';

/** Renames a credential, or changes its expiry. */
export function EditCredential(props: {
  credential: CredentialJson;
  onDone: () => void;
  onClose: () => void;
}): JSX.Element {
  const { credential, onDone, onClose } = props;
  const [name, setName] = useState(credential.name);
  const [days, setDays] = useState('keep');
  const action = useAction(async () => {
    const expiry = days === 'keep' ? {} : days === '' ? { expires_at: null } : expiryOf(days);
    await request('PATCH', `/credentials/${credential.id}`, { body: { name: name.trim(), ...expiry } });
    announce(`Changed ${name.trim()}.`);
    onDone();
    onClose();
  });
  return (
    <Dialog title="Edit the credential" onClose={onClose}>
      <Form onSubmit={() => action.run()}>
        <TextField
          label="Name"
          hint="Where it is deployed."
          value={name}
          onInput={setName}
          error={action.errorOf('name')}
          required
          maxLength={200}
          autofocus
        />
        <ExpiryField
          days={days}
          onInput={setDays}
          keep={credential.expires_at}
          error={action.errorOf('expires_at')}
        />
        <FormEnd action={action} verb="Save" before={<CancelButton />} />
      </Form>
    </Dialog>
  );
}
