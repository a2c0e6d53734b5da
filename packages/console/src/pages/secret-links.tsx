import type { JSX } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { newIdempotencyKey, post, request } from '../api/client.ts';
import { apiUserPath } from '../api/paths.ts';
import type {
  CreatedSecretLinkJson,
  SecretLinkJson,
} from '../../../server/src/http/admin/secret-link.wire.ts';
import { announce } from '../state/announce.ts';
import { useResource } from '../state/resource.ts';
import { useMay } from '../state/session.ts';
import { useAction } from '../ui/action.ts';
import { Badge } from '../ui/badge.tsx';
import { Button } from '../ui/button.tsx';
import { CancelButton, Dialog } from '../ui/dialog.tsx';
import { expiryOf, NameAndExpiry } from '../ui/expiry.tsx';
import { CheckField, SelectField, TextField } from '../ui/field.tsx';
import { Form, FormEnd } from '../ui/form.tsx';
import { LinkOnce } from '../ui/link-once.tsx';
import { Loaded } from '../ui/loaded.tsx';
import { Failure } from '../ui/notice.tsx';
import { Card } from '../ui/page.tsx';
import { Ago } from '../ui/time.tsx';

/** Links that hand a secret over, so that only its receiver sees it. */
export function SecretLinks({ clientId }: { clientId: string }): JSX.Element {
  const mayWrite = useMay('operator');
  const [creating, setCreating] = useState(false);
  const [made, setMade] = useState<CreatedSecretLinkJson | null>(null);
  const path = `${apiUserPath(clientId)}/secret-links`;
  const links = useResource<{ items: SecretLinkJson[] }>(path, [{ noun: 'api_user', id: clientId }]);
  return (
    <Card
      title="Secret by a link"
      actions={
        mayWrite && (
          <Button small icon="plus" onClick={() => setCreating(true)}>
            Create a link
          </Button>
        )
      }
    >
      <p class="hint">
        Hands a new secret over without you seeing it: the secret is made when the link is opened, once.
      </p>
      <Loaded from={links} size="line">
        {({ items }) =>
          items.length > 0 && (
            <ul class="plain-list">
              {items.map((link) => (
                <Link key={link.id} path={path} link={link} mayWrite={mayWrite} onRemoved={links.reload} />
              ))}
            </ul>
          )
        }
      </Loaded>
      {creating && (
        <Create
          path={path}
          onMade={(created) => {
            setCreating(false);
            setMade(created);
            links.reload();
          }}
          onClose={() => setCreating(false)}
        />
      )}
      {made !== null && (
        <LinkOnce
          title="A link to a new secret"
          text="Send it to the person who needs the secret. It works once."
          url={made.url}
          expiresAt={made.link.expires_at}
          onClose={() => setMade(null)}
        />
      )}
    </Card>
  );
}

function Link(props: {
  path: string;
  link: SecretLinkJson;
  mayWrite: boolean;
  onRemoved: () => void;
}): JSX.Element {
  const { path, link, mayWrite, onRemoved } = props;
  const action = useAction(async () => {
    await request('DELETE', `${path}/${link.id}`);
    announce('The link opens nothing any more.');
    onRemoved();
  });
  return (
    <li class="row apart">
      <span>
        <strong class="breakable">{link.credential_name}</strong>{' '}
        {link.passphrase && <Badge>passphrase</Badge>}
        <span class="hint block">
          Made by {link.created_by}; ends <Ago at={link.expires_at} />
        </span>
      </span>
      {mayWrite && (
        <Button small kind="danger-quiet" busy={action.busy} onClick={() => action.run()}>
          Remove<span class="unseen"> the link to {link.credential_name}</span>
        </Button>
      )}
      <Failure error={action.error} />
    </li>
  );
}

const LIVES = [
  { value: '3600', text: 'In an hour' },
  { value: '86400', text: 'In a day' },
  { value: '259200', text: 'In three days' },
] as const;

function Create(props: {
  path: string;
  onMade: (created: CreatedSecretLinkJson) => void;
  onClose: () => void;
}): JSX.Element {
  const { path, onMade, onClose } = props;
  const [name, setName] = useState('');
  const [days, setDays] = useState('');
  const [life, setLife] = useState<string>(LIVES[1].value);
  const [passphrase, setPassphrase] = useState('');
  const [endsOld, setEndsOld] = useState(false);
  // The same key for each attempt, so that a lost response does not leave a second link.
  const attempt = useRef({ key: newIdempotencyKey(), body: '' });
  const action = useAction(async () => {
    const body = {
      name: name.trim(),
      ...expiryOf(days),
      link_seconds: Number(life),
      ...(passphrase !== '' && { passphrase }),
      ...(endsOld && { reset: { when_quiet: true } }),
    };
    const text = JSON.stringify({ ...body, expires_at: days });
    if (attempt.current.body !== text) attempt.current = { key: newIdempotencyKey(), body: text };
    onMade(await post<CreatedSecretLinkJson>(path, body, { idempotencyKey: attempt.current.key }));
  });
  return (
    <Dialog title="A link to a new secret" onClose={onClose}>
      <Form onSubmit={() => action.run()}>
        <NameAndExpiry
          label="Name of the secret"
          hint="Where it will be deployed: “production, cluster 2”."
          name={name}
          onName={setName}
          days={days}
          onDays={setDays}
          errorOf={action.errorOf}
        />
        <SelectField
          label="The link ends"
          value={life}
          options={LIVES}
          onInput={setLife}
          error={action.errorOf('link_seconds')}
        />
        <TextField
          label="Passphrase"
          optional
          hint="The receiver types it to open the link. Tell it another way than the link."
          value={passphrase}
          onInput={setPassphrase}
          error={action.errorOf('passphrase')}
          maxLength={128}
        />
        <CheckField
          label="The old secrets end when quiet"
          hint="Once the new one was used and the old ones were unused for 25 hours."
          checked={endsOld}
          onInput={setEndsOld}
        />
        <FormEnd action={action} verb="Create the link" before={<CancelButton />} />
      </Form>
    </Dialog>
  );
}
