import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { request } from '../api/client.ts';
import type { Role } from '../../../server/src/domain/actor.ts';
import type { InvitationJson, OperatorJson } from '../../../server/src/http/admin/operator.wire.ts';
import type { Page as PageOf } from '../../../server/src/http/admin/schema.ts';
import { announce } from '../state/announce.ts';
import { useResource } from '../state/resource.ts';
import { useMay } from '../state/session.ts';
import { Badge, RoleBadge } from '../ui/badge.tsx';
import { Button } from '../ui/button.tsx';
import { Confirm } from '../ui/dialog.tsx';
import type { Choice } from '../ui/field.tsx';
import { LinkOnce } from '../ui/link-once.tsx';
import { Loaded } from '../ui/loaded.tsx';
import { Page } from '../ui/page.tsx';
import { ActionsHead, ChangeRole, Invite, NewLink, PersonName, SecondFactorBadge } from '../ui/people.tsx';
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

const OF_INVITED = 'Their previous link stops working.';
const OF_ACTIVE =
  'They use it to choose a new password. Their sessions end, and they must set up their second factor again.';

const pathOf = ({ id }: OperatorJson): string => `/operators/${id}`;

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
      {open?.to === 'invite' && (
        <Invite
          title="Invite an operator"
          path="/operators"
          roles={ROLES}
          first="viewer"
          onMade={showLink}
          onClose={close}
        />
      )}
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
        <ChangeRole
          path={pathOf(open.operator)}
          person={open.operator}
          roles={ROLES}
          first={open.operator.role === 'none' ? 'viewer' : open.operator.role}
          onDone={operators.reload}
          onClose={close}
        />
      )}
      {open?.to === 'reset' && (
        <NewLink
          path={pathOf(open.operator)}
          person={open.operator}
          text={open.operator.state === 'invited' ? OF_INVITED : OF_ACTIVE}
          kind="danger"
          onMade={showLink}
          onClose={close}
        />
      )}
      {open?.to === 'remove' && <Remove operator={open.operator} onDone={operators.reload} onClose={close} />}
    </Page>
  );
}

function OperatorTable(props: {
  items: readonly OperatorJson[];
  onOpen: ((open: Open) => void) | null;
}): JSX.Element {
  const { items, onOpen } = props;
  return (
    <section class="card flush" aria-label="Operators">
      <table class="table">
        <thead>
          <tr>
            <th scope="col">E-mail address</th>
            <th scope="col">Role</th>
            <th scope="col">Second factor</th>
            <th scope="col">Last seen</th>
            {onOpen !== null && <ActionsHead />}
          </tr>
        </thead>
        <tbody>
          {items.map((operator) => (
            <tr key={operator.id}>
              <PersonName person={operator} />
              <td class="fit">
                <RoleBadge role={operator.role} />
              </td>
              <td data-label="Second factor" class="fit">
                {operator.state === 'invited' ? (
                  <Badge kind="note">invited</Badge>
                ) : (
                  <SecondFactorBadge isOn={operator.second_factor} />
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

interface RemoveProps {
  operator: OperatorJson;
  onDone: () => void;
  onClose: () => void;
}

function Remove({ operator, onDone, onClose }: RemoveProps): JSX.Element {
  const remove = async () => {
    await request('DELETE', pathOf(operator));
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
