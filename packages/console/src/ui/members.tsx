import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { post, request } from '../api/client.ts';
import type {
  MadeCredentialJson,
  InvitedMemberJson,
  MemberJson,
} from '../../../server/src/http/admin/member.wire.ts';
import type { MemberRole } from '../../../server/src/domain/organisation.ts';
import { announce } from '../state/announce.ts';
import { useResource, type Resource } from '../state/resource.ts';
import { useActor } from '../state/session.ts';
import { useAction } from './action.ts';
import { Badge, RoleBadge } from './badge.tsx';
import { Button } from './button.tsx';
import { CancelButton, Confirm, Dialog } from './dialog.tsx';
import { ChoiceField, TextField, type Choice } from './field.tsx';
import { Form, FormEnd } from './form.tsx';
import { LinkOnce } from './link-once.tsx';
import { Loaded } from './loaded.tsx';
import { MadeCredentials } from './made-credentials.tsx';
import { Empty, Failure } from './notice.tsx';
import { Ago } from './time.tsx';

const ROLES: readonly Choice<MemberRole>[] = [
  { value: 'member', text: 'Member', hint: 'Sees, creates, changes and resets the API users.' },
  { value: 'admin', text: 'Admin', hint: 'Also invites and removes members, and reads the audit log.' },
];

type Open =
  | { to: 'invite' }
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
  const close = () => setOpen(null);
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
      {inviting && <Invite path={path} onMade={show} onClose={onInvited} />}
      {open?.to === 'show' && (
        <LinkOnce
          title={`A link for ${open.invitation.member.email}`}
          text="Send it privately. It works once."
          url={open.invitation.invitation_url}
          expiresAt={open.invitation.expires_at}
          onClose={close}
        />
      )}
      {open?.to === 'role' && (
        <ChangeRole path={path} member={open.member} onDone={members.reload} onClose={close} />
      )}
      {open?.to === 'link' && <NewLink path={path} member={open.member} onMade={show} onClose={close} />}
      {open?.to === 'remove' && (
        <Remove
          path={path}
          member={open.member}
          onRemoved={(credentials) => {
            members.reload();
            if (credentials.length === 0) close();
            else setOpen({ to: 'made', member: open.member, credentials });
          }}
          onClose={close}
        />
      )}
      {open?.to === 'made' && (
        <MadeCredentials
          path={`${path}/members/${open.member.id}`}
          email={open.member.email}
          credentials={open.credentials}
          onClose={close}
        />
      )}
    </>
  );
}

function MemberTable(props: {
  items: readonly MemberJson[];
  onOpen: ((open: Open) => void) | null;
}): JSX.Element {
  const { items, onOpen } = props;
  const me = useActor();
  return (
    <table class="table inset">
      <thead>
        <tr>
          <th scope="col">E-mail address</th>
          <th scope="col">Role</th>
          <th scope="col">Second factor</th>
          {onOpen !== null && (
            <th scope="col">
              <span class="unseen">Actions</span>
            </th>
          )}
        </tr>
      </thead>
      <tbody>
        {items.map((member) => (
          <tr key={member.id}>
            <th scope="row">
              <strong class="breakable">{member.email}</strong>
              {member.id === me?.id && <span class="soft"> (you)</span>}
            </th>
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
  return hasFactor === true ? <Badge kind="good">on</Badge> : <Badge kind="warn">off</Badge>;
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

interface OfPath {
  path: string;
  onClose: () => void;
}

function Invite({ path, onMade, onClose }: OfPath & { onMade: (created: InvitedMemberJson) => void }) {
  const [email, setEmail] = useState('');
  const [role, setRole] = useState<MemberRole>('member');
  const action = useAction(async () =>
    onMade(await post<InvitedMemberJson>(`${path}/members`, { email: email.trim(), role })),
  );
  return (
    <Dialog title="Invite a member" onClose={onClose}>
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
        <ChoiceField<MemberRole> label="Role" value={role} choices={ROLES} onInput={setRole} />
        <FormEnd action={action} verb="Create the link" before={<CancelButton />} />
      </Form>
    </Dialog>
  );
}

interface OfMember extends OfPath {
  member: MemberJson;
}

function ChangeRole({ path, member, onDone, onClose }: OfMember & { onDone: () => void }): JSX.Element {
  const [role, setRole] = useState(member.role);
  const change = async () => {
    await request('PATCH', `${path}/members/${member.id}`, { body: { role } });
    announce(`${member.email} is ${role} now.`);
    onDone();
  };
  return (
    <Confirm
      title={`Role of ${member.email}`}
      verb="Save"
      kind="primary"
      onConfirm={change}
      onClose={onClose}
    >
      <ChoiceField<MemberRole> label="Role" value={role} choices={ROLES} onInput={setRole} />
    </Confirm>
  );
}

function NewLink(props: OfMember & { onMade: (created: InvitedMemberJson) => void }): JSX.Element {
  const { path, member, onMade, onClose } = props;
  const action = useAction(async () =>
    onMade(await post<InvitedMemberJson>(`${path}/members/${member.id}/invitation`)),
  );
  return (
    <Dialog title={`A new link for ${member.email}?`} onClose={onClose}>
      <p>The previous link stops working.</p>
      <Failure error={action.error} />
      <div class="form-actions">
        <CancelButton />
        <Button kind="primary" busy={action.busy} onClick={() => action.run()}>
          Create the link
        </Button>
      </div>
    </Dialog>
  );
}

function Remove(
  props: OfMember & { onRemoved: (created: readonly MadeCredentialJson[]) => void },
): JSX.Element {
  const { path, member, onRemoved, onClose } = props;
  const isInvited = member.state === 'invited';
  const remove = async () => {
    const { data } = await request<{ credentials: MadeCredentialJson[] }>(
      'DELETE',
      `${path}/members/${member.id}`,
    );
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
