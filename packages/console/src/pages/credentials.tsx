import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { request } from '../api/client.ts';
import { RETIRED_WHEN_QUIET_MS } from '../../../server/src/domain/credential.ts';
import type { CredentialJson } from '../../../server/src/http/admin/credential.wire.ts';
import { whole } from '../format.ts';
import { paths } from '../paths.ts';
import { announce } from '../state/announce.ts';
import type { Resource } from '../state/resource.ts';
import { useMay } from '../state/session.ts';
import type { LiveUse, SeenUse } from '../state/uses.ts';
import { useAction } from '../ui/action.ts';
import { CredentialBadge } from '../ui/badge.tsx';
import { Button, LinkButton } from '../ui/button.tsx';
import { CancelButton, Dialog } from '../ui/dialog.tsx';
import { ExpiryField, expiryOf } from '../ui/expiry.tsx';
import { CheckField, TextField } from '../ui/field.tsx';
import { Form, FormEnd } from '../ui/form.tsx';
import { Loaded } from '../ui/loaded.tsx';
import { Empty } from '../ui/notice.tsx';
import { Card } from '../ui/page.tsx';
import { Ago, At } from '../ui/time.tsx';
import { Retire } from './retire.tsx';

export interface CredentialsProps {
  clientId: string;
  credentials: Resource<{ items: CredentialJson[] }>;
  live: LiveUse;
}

export function Credentials({ clientId, credentials, live }: CredentialsProps): JSX.Element {
  const mayWrite = useMay('operator');
  return (
    <Card
      title="Credentials"
      actions={
        mayWrite && (
          <LinkButton small icon="plus" href={`${paths.reset(clientId)}?old=keep`}>
            New secret
          </LinkButton>
        )
      }
    >
      <Loaded from={credentials} size="tall">
        {({ items }) =>
          items.length === 0 ? (
            <Empty icon="key" title="It has no credential">
              <p>Without one, it gets no tokens.</p>
              {mayWrite && (
                <LinkButton kind="primary" href={paths.reset(clientId)}>
                  New secret
                </LinkButton>
              )}
            </Empty>
          ) : (
            <>
              <CredentialTable items={items} live={live} onChanged={credentials.reload} />
              {mayWrite && (
                <p class="hint">
                  Forgot or lost a secret or password?{' '}
                  <a href={paths.reset(clientId)}>Reset the credentials</a>.
                </p>
              )}
            </>
          )
        }
      </Loaded>
    </Card>
  );
}

/** The open dialog, and its credential. */
type Open = { to: 'retire' | 'edit'; credential: CredentialJson };

export function CredentialTable(props: {
  items: readonly CredentialJson[];
  live: LiveUse;
  onChanged: () => void;
}): JSX.Element {
  const { items, live, onChanged } = props;
  const mayWrite = useMay('operator');
  const [withEnded, setWithEnded] = useState(false);
  const [open, setOpen] = useState<Open | null>(null);
  const ended = items.filter(({ state }) => state !== 'live');
  const shown = withEnded ? items : items.filter(({ state }) => state === 'live');
  return (
    <>
      <table class="table inset">
        <thead>
          <tr>
            <th scope="col">Credential</th>
            <th scope="col">State</th>
            <th scope="col">Last used</th>
            <th scope="col" class="end">
              Uses
            </th>
            <th scope="col">Expires</th>
            {mayWrite && (
              <th scope="col">
                <span class="unseen">Actions</span>
              </th>
            )}
          </tr>
        </thead>
        <tbody>
          {shown.map((credential) => (
            <CredentialRow
              key={credential.id}
              credential={credential}
              seen={live.credentials.get(credential.id)}
              onOpen={mayWrite ? (to) => setOpen({ to, credential }) : null}
            />
          ))}
        </tbody>
      </table>
      {shown.length === 0 && <p class="soft">No credential is live: this API user gets no tokens.</p>}
      {ended.length > 0 && (
        <CheckField
          label={`Show the ${whole(ended.length)} that ended`}
          checked={withEnded}
          onInput={setWithEnded}
        />
      )}
      {open?.to === 'retire' && (
        <Retire credential={open.credential} onRetired={onChanged} onClose={() => setOpen(null)} />
      )}
      {open?.to === 'edit' && (
        <Edit credential={open.credential} onDone={onChanged} onClose={() => setOpen(null)} />
      )}
    </>
  );
}

function CredentialRow(props: {
  credential: CredentialJson;
  seen: SeenUse | undefined;
  onOpen: ((to: Open['to']) => void) | null;
}): JSX.Element {
  const { credential, seen, onOpen } = props;
  const { id, name, kind, state, expires_at: expires } = credential;
  const quietFrom = state === 'live' ? quietAt(credential, seen) : null;
  return (
    <tr>
      <th scope="row">
        <div class="name-cell">
          <strong class="breakable">{name}</strong>
          <code class="soft">
            {kind === 'password' ? 'password ' : ''}
            {id}
          </code>
        </div>
      </th>
      <td class="fit">
        <CredentialBadge state={state} />
      </td>
      <td data-label="Last used">
        <LastUse credential={credential} seen={seen} />
      </td>
      <td data-label="Uses" class="fit end number">
        {whole(credential.use_count)}
      </td>
      <td data-label="Expires" class="fit">
        {expires === null && quietFrom !== null ? (
          <span title="Once nothing used it for 25 hours and a newer one was used">when quiet</span>
        ) : expires === null ? (
          <span class="soft">never</span>
        ) : state === 'live' ? (
          <Ago at={expires} />
        ) : (
          <At at={expires} />
        )}
      </td>
      {onOpen !== null && (
        <td class="fit whole">
          {state === 'live' && (
            <div class="row end">
              <Button small onClick={() => onOpen('edit')}>
                Edit<span class="unseen"> {name}</span>
              </Button>
              <Button small kind="danger-quiet" onClick={() => onOpen('retire')}>
                Retire<span class="unseen"> {name}</span>
              </Button>
            </div>
          )}
        </td>
      )}
    </tr>
  );
}

/** When it is retired if unused until then; null: not marked. */
export function quietAt(credential: CredentialJson, seen: SeenUse | undefined): string | null {
  const { retire_when_quiet_from: from, last_used_at: used } = credential;
  if (from === null) return null;
  const last = Math.max(...[from, used, seen?.at].map((at) => (at ? Date.parse(at) : 0)));
  return new Date(last + RETIRED_WHEN_QUIET_MS).toISOString();
}

/** The later of the stored and the live use. */
export function LastUse(props: { credential: CredentialJson; seen: SeenUse | undefined }): JSX.Element {
  const { credential, seen } = props;
  const isLater =
    seen !== undefined && (credential.last_used_at === null || seen.at >= credential.last_used_at);
  const at = isLater ? seen.at : credential.last_used_at;
  const address = isLater ? seen.address : credential.last_used_address;
  return (
    <span>
      <Ago at={at} seconds />
      {address !== null && at !== null && (
        <>
          {' '}
          <span class="soft">
            from <code>{address}</code>
          </span>
        </>
      )}
    </span>
  );
}

function Edit(props: { credential: CredentialJson; onDone: () => void; onClose: () => void }): JSX.Element {
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
