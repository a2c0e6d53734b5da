import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { request } from '../api/client.ts';
import type {
  MadeCredentialJson,
  InvitedMemberJson,
  MemberJson,
} from '../../../server/src/http/admin/member.wire.ts';
import type { MemberRole } from '../../../server/src/domain/organisation.ts';
import { announce } from '../state/announce.ts';
import { useResource, type Resource } from '../state/resource.ts';
import { Badge, RoleBadge } from './badge.tsx';
import { Button } from './button.tsx';
import { Confirm } from './dialog.tsx';
import type { Choice } from './field.tsx';
import { LinkOnce } from './link-once.tsx';
import { Loaded } from './loaded.tsx';
import { MadeCredentials } from './made-credentials.tsx';
import { Empty } from './notice.tsx';
import { ActionsHead, ChangeRole, Invite, NewLink, PersonName, SecondFactorBadge } from './people.tsx';
import { Ago } from './time.tsx';

const ROLES: readonly Choice<MemberRole>[] = [
  { value: 'member', text: 'Member', hint: 'Sees, creates, changes and resets the API users.' },
  { value: 'admin', text: 'Admin', hint: 'Also invites and removes members, and reads the audit log.' },
];

type Open =
  | { to: 'role' | 'link' | 'remove'; member: MemberJson }
  | { to: 'show'; invitation: InvitedMemberJson }
  | { to: 'made'; member: MemberJson; credentials: readonly MadeCredentialJson[] };

/** The members of an organisation, whose API path is `path`: in the portal, the empty one. */
export function useMembers(path: string): Resource<{ items: MemberJson[] }> {
  return useResource<{ items: MemberJson[] }>(`${path}/members`, [{ noun: 'organisation' }]);
}

export function Members(props: {
  path: string;
  members: Resource<{ items: MemberJson[] }>;
  mayChange: boolean;
  /** The invitation form is open. */
  inviting: boolean;
  onInvited: () => void;
}): JSX.Element {
  const { path, members, mayChange, inviting, onInvited } = props;
  const [open, setOpen] = useState<Open | null>(null);
  const show = (invitation: InvitedMemberJson) => {
    members.reload();
    onInvited();
    setOpen({ to: 'show', invitation });
  };
  return (
    <>
      <Loaded from={members} size="tall">
        {({ items }) =>
          items.length === 0 ? (
            <Empty icon="operators" title="It has no members yet">
              <p>Invite an admin of the organisation, who then invites the others.</p>
            </Empty>
          ) : (
            <MemberTable items={items} onOpen={mayChange ? setOpen : null} />
          )
        }
      </Loaded>
      {inviting && (
        <Invite
          title="Invite a member"
          path={`${path}/members`}
          roles={ROLES}
          first="member"
          onMade={show}
          onClose={onInvited}
        />
      )}
      {open !== null && (
        <MemberDialog open={open} path={path} onOpen={setOpen} onInvited={show} onChanged={members.reload} />
      )}
    </>
  );
}

interface MemberDialogProps {
  open: Open;
  path: string;
  onOpen: (open: Open | null) => void;
  onInvited: (invitation: InvitedMemberJson) => void;
  onChanged: () => void;
}

function MemberDialog({ open, path, onOpen, onInvited, onChanged }: MemberDialogProps): JSX.Element {
  const onClose = () => onOpen(null);
  if (open.to === 'show') {
    return (
      <LinkOnce
        title={`A link for ${open.invitation.member.email}`}
        text="Send it privately. It works once."
        url={open.invitation.invitation_url}
        expiresAt={open.invitation.expires_at}
        onClose={onClose}
      />
    );
  }
  const { member } = open;
  const of = { path: `${path}/members/${member.id}`, onClose };
  switch (open.to) {
    case 'role':
      return <ChangeRole {...of} person={member} roles={ROLES} first={member.role} onDone={onChanged} />;
    case 'link':
      return (
        <NewLink
          {...of}
          person={member}
          text="The previous link stops working."
          kind="primary"
          onMade={onInvited}
        />
      );
    case 'remove':
      return (
        <Remove
          {...of}
          member={member}
          onRemoved={(credentials) => {
            onChanged();
            onOpen(credentials.length === 0 ? null : { to: 'made', member, credentials });
          }}
        />
      );
    case 'made':
      return <MadeCredentials {...of} email={member.email} credentials={open.credentials} />;
  }
}

function MemberTable(props: {
  items: readonly MemberJson[];
  onOpen: ((open: Open) => void) | null;
}): JSX.Element {
  const { items, onOpen } = props;
  return (
    <table class="table inset">
      <thead>
        <tr>
          <th scope="col">E-mail address</th>
          <th scope="col">Role</th>
          <th scope="col">Second factor</th>
          {onOpen !== null && <ActionsHead />}
        </tr>
      </thead>
      <tbody>
        {items.map((member) => (
          <tr key={member.id}>
            <PersonName person={member} />
            <td data-label="Role" class="fit">
              <RoleBadge role={member.role} />
            </td>
            <td data-label="Second factor" class="fit">
              <State member={member} />
            </td>
            {onOpen !== null && (
              <td class="fit whole">
                <RowActions member={member} onOpen={onOpen} />
              </td>
            )}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function State({ member: { state, second_factor: hasFactor, expires_at: at } }: { member: MemberJson }) {
  if (state === 'invited') {
    return (
      <>
        <Badge kind="note">invited</Badge>
        {at !== null && (
          <span class="soft small">
            {' '}
            link ends <Ago at={at} />
          </span>
        )}
      </>
    );
  }
  return <SecondFactorBadge isOn={hasFactor === true} />;
}

function RowActions(props: { member: MemberJson; onOpen: (open: Open) => void }): JSX.Element {
  const { member, onOpen } = props;
  const of = <span class="unseen"> {member.email}</span>;
  return (
    <div class="row end">
      {member.state === 'invited' ? (
        <Button small onClick={() => onOpen({ to: 'link', member })}>
          New link{of}
        </Button>
      ) : (
        <Button small onClick={() => onOpen({ to: 'role', member })}>
          Role{of}
        </Button>
      )}
      <Button small kind="danger-quiet" onClick={() => onOpen({ to: 'remove', member })}>
        {member.state === 'invited' ? 'Withdraw' : 'Remove'}
        {of}
      </Button>
    </div>
  );
}

interface RemoveProps {
  path: string;
  member: MemberJson;
  onRemoved: (created: readonly MadeCredentialJson[]) => void;
  onClose: () => void;
}

function Remove({ path, member, onRemoved, onClose }: RemoveProps): JSX.Element {
  const isInvited = member.state === 'invited';
  const remove = async () => {
    const { data } = await request<{ credentials: MadeCredentialJson[] }>('DELETE', path);
    announce(isInvited ? `The invitation of ${member.email} is withdrawn.` : `${member.email} is removed.`);
    onRemoved(data.credentials);
    return false; // the next dialog, or none, is open now
  };
  return (
    <Confirm
      title={isInvited ? `Withdraw the invitation of ${member.email}?` : `Remove ${member.email}?`}
      verb={isInvited ? 'Withdraw' : 'Remove'}
      onConfirm={remove}
      onClose={onClose}
    >
      <p>
        {isInvited
          ? 'The link stops working.'
          : 'The person’s sessions end at once. You then see the credentials that the person made or saw, and can reset them in one step.'}
      </p>
    </Confirm>
  );
}
