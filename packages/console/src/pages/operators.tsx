import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { post, request } from '../api/client.ts';
import type { Role } from '../../../server/src/domain/actor.ts';
import type { InvitationJson, OperatorJson } from '../../../server/src/http/admin/operator.wire.ts';
import type { Page as PageOf } from '../../../server/src/http/admin/schema.ts';
import { announce } from '../state/announce.ts';
import { useResource } from '../state/resource.ts';
import { useActor, useMay } from '../state/session.ts';
import { useAction } from '../ui/action.ts';
import { Badge, RoleBadge } from '../ui/badge.tsx';
import { Button } from '../ui/button.tsx';
import { CancelButton, Confirm, Dialog } from '../ui/dialog.tsx';
import { ChoiceField, TextField, type Choice } from '../ui/field.tsx';
import { Form, FormEnd } from '../ui/form.tsx';
import { LinkOnce } from '../ui/link-once.tsx';
import { Loaded } from '../ui/loaded.tsx';
import { Failure } from '../ui/notice.tsx';
import { Page } from '../ui/page.tsx';
import { Ago } from '../ui/time.tsx';

const ROLES: readonly Choice<Role>[] = [
  { value: 'viewer', text: 'Viewer', hint: 'Sees everything, changes nothing.' },
  {
    value: 'operator',
    text: 'Operator',
    hint: 'Also creates and changes API users, and creates and retires secrets.',
  },
  {
    value: 'admin',
    text: 'Admin',
    hint: 'Also rotates signing keys and invites, changes and removes operators.',
  },
];

type Open =
  | { to: 'invite' }
  | { to: 'role' | 'reset' | 'remove'; operator: OperatorJson }
  | { to: 'link'; invitation: InvitationJson };

export function OperatorsPage(): JSX.Element {
  const isAdmin = useMay('admin');
  const [open, setOpen] = useState<Open | null>(null);
  const operators = useResource<PageOf<OperatorJson>>('/operators?limit=200');
  const close = () => setOpen(null);
  const showLink = (invitation: InvitationJson) => {
    operators.reload();
    setOpen({ to: 'link', invitation });
  };
  return (
    <Page
      title="Operators"
      lead="The people who sign in here."
      actions={
        isAdmin && (
          <Button kind="primary" icon="plus" onClick={() => setOpen({ to: 'invite' })}>
            Invite
          </Button>
        )
      }
    >
      <Loaded from={operators} size="tall">
        {({ items }) => <OperatorTable items={items} onOpen={isAdmin ? setOpen : null} />}
      </Loaded>
      {open?.to === 'invite' && <Invite onMade={showLink} onClose={close} />}
      {open?.to === 'link' && (
        <LinkOnce
          title={`A link for ${open.invitation.operator.email}`}
          text="Send it privately: the first person to open it chooses the password. It works once."
          url={open.invitation.invitation_url}
          expiresAt={open.invitation.expires_at}
          onClose={close}
        />
      )}
      {open?.to === 'role' && (
        <ChangeRole operator={open.operator} onDone={operators.reload} onClose={close} />
      )}
      {open?.to === 'reset' && <Reset operator={open.operator} onMade={showLink} onClose={close} />}
      {open?.to === 'remove' && <Remove operator={open.operator} onDone={operators.reload} onClose={close} />}
    </Page>
  );
}

function OperatorTable(props: {
  items: readonly OperatorJson[];
  onOpen: ((open: Open) => void) | null;
}): JSX.Element {
  const { items, onOpen } = props;
  const me = useActor();
  return (
    <section class="card flush" aria-label="Operators">
      <table class="table">
        <thead>
          <tr>
            <th scope="col">E-mail address</th>
            <th scope="col">Role</th>
            <th scope="col">Second factor</th>
            <th scope="col">Last seen</th>
            {onOpen !== null && (
              <th scope="col">
                <span class="unseen">Actions</span>
              </th>
            )}
          </tr>
        </thead>
        <tbody>
          {items.map((operator) => (
            <tr key={operator.id}>
              <th scope="row">
                <strong class="breakable">{operator.email}</strong>
                {operator.id === me?.id && <span class="soft"> (you)</span>}
              </th>
              <td class="fit">
                <RoleBadge role={operator.role} />
              </td>
              <td data-label="Second factor" class="fit">
                {operator.state === 'invited' ? (
                  <Badge kind="note">invited</Badge>
                ) : operator.second_factor ? (
                  <Badge kind="good">on</Badge>
                ) : (
                  <Badge kind="warn">off</Badge>
                )}
              </td>
              <td data-label="Last seen" class="fit">
                <Ago at={operator.last_seen_at} />
              </td>
              {onOpen !== null && (
                <td class="fit whole">
                  <RowActions operator={operator} onOpen={onOpen} />
                </td>
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function RowActions(props: { operator: OperatorJson; onOpen: (open: Open) => void }): JSX.Element {
  const { operator, onOpen } = props;
  const of = <span class="unseen"> {operator.email}</span>;
  return (
    <div class="row end">
      <Button small onClick={() => onOpen({ to: 'role', operator })}>
        Role{of}
      </Button>
      <Button small onClick={() => onOpen({ to: 'reset', operator })}>
        {operator.state === 'invited' ? 'New link' : 'Reset'}
        {of}
      </Button>
      <Button small kind="danger-quiet" onClick={() => onOpen({ to: 'remove', operator })}>
        Remove{of}
      </Button>
    </div>
  );
}

function Invite(props: { onMade: (invitation: InvitationJson) => void; onClose: () => void }): JSX.Element {
  const { onMade, onClose } = props;
  const [email, setEmail] = useState('');
  const [role, setRole] = useState<Role>('viewer');
  const action = useAction(async () =>
    onMade(await post<InvitationJson>('/operators', { email: email.trim(), role })),
  );
  return (
    <Dialog title="Invite an operator" onClose={onClose}>
      <Form onSubmit={() => action.run()}>
        <TextField
          label="E-mail address"
          type="email"
          hint="Used to sign in. No e-mail is sent: you get a link to pass on."
          value={email}
          onInput={setEmail}
          error={action.errorOf('email')}
          required
          autofocus
        />
        <ChoiceField<Role> label="Role" value={role} choices={ROLES} onInput={setRole} />
        <FormEnd action={action} verb="Create the link" before={<CancelButton />} />
      </Form>
    </Dialog>
  );
}

interface OfOperator {
  operator: OperatorJson;
  onClose: () => void;
}

function ChangeRole({ operator, onDone, onClose }: OfOperator & { onDone: () => void }): JSX.Element {
  const [role, setRole] = useState<Role>(operator.role === 'none' ? 'viewer' : operator.role);
  const change = async () => {
    await request('PATCH', `/operators/${operator.id}`, { body: { role } });
    announce(`${operator.email} is ${role} now.`);
    onDone();
  };
  return (
    <Confirm
      title={`Role of ${operator.email}`}
      verb="Save"
      kind="primary"
      onConfirm={change}
      onClose={onClose}
    >
      <ChoiceField<Role> label="Role" value={role} choices={ROLES} onInput={setRole} />
    </Confirm>
  );
}

function Reset({
  operator,
  onMade,
  onClose,
}: OfOperator & { onMade: (invitation: InvitationJson) => void }): JSX.Element {
  const action = useAction(async () =>
    onMade(await post<InvitationJson>(`/operators/${operator.id}/invitation`)),
  );
  return (
    <Dialog title={`A new link for ${operator.email}?`} onClose={onClose}>
      <p>
        {operator.state === 'invited'
          ? 'Their previous link stops working.'
          : 'They use it to choose a new password. Their sessions end, and they must set up their second factor again.'}
      </p>
      <Failure error={action.error} />
      <div class="form-actions">
        <CancelButton />
        <Button kind="danger" busy={action.busy} onClick={() => action.run()}>
          Create the link
        </Button>
      </div>
    </Dialog>
  );
}

function Remove({ operator, onDone, onClose }: OfOperator & { onDone: () => void }): JSX.Element {
  const remove = async () => {
    await request('DELETE', `/operators/${operator.id}`);
    announce(`${operator.email} is removed.`);
    onDone();
  };
  return (
    <Confirm
      title={`Remove ${operator.email}?`}
      verb="Remove"
      typed={{ label: `Type ${operator.email} to confirm`, text: operator.email }}
      onConfirm={remove}
      onClose={onClose}
    >
      <p>Their sessions end at once, and they can no longer sign in. Their entries stay in the audit log.</p>
    </Confirm>
  );
}
