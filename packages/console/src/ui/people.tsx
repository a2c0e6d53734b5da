// The pages of operators and of members share these: cells of their tables, and the dialogs that invite,
// change a role and make a new link.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { post, request } from '../api/client.ts';
import { announce } from '../state/announce.ts';
import { useActor } from '../state/session.ts';
import { useAction } from './action.ts';
import { Badge } from './badge.tsx';
import { Button, type ButtonKind } from './button.tsx';
import { CancelButton, Confirm, Dialog } from './dialog.tsx';
import { ChoiceField, TextField, type Choice } from './field.tsx';
import { Form, FormEnd } from './form.tsx';
import { Failure } from './notice.tsx';

interface Person {
  id: string;
  email: string;
}

/** The first cell of a person's row. */
export function PersonName({ person }: { person: Person }): JSX.Element {
  const me = useActor();
  return (
    <th scope="row">
      <strong class="breakable">{person.email}</strong>
      {person.id === me?.id && <span class="soft"> (you)</span>}
    </th>
  );
}

export function ActionsHead(): JSX.Element {
  return (
    <th scope="col">
      <span class="unseen">Actions</span>
    </th>
  );
}

export function SecondFactorBadge({ isOn }: { isOn: boolean }): JSX.Element {
  return isOn ? <Badge kind="good">on</Badge> : <Badge kind="warn">off</Badge>;
}

interface DialogProps<Invited> {
  onMade: (invitation: Invited) => void;
  onClose: () => void;
}

interface InviteProps<Role extends string, Invited> extends DialogProps<Invited> {
  title: string;
  /** Where the server adds such a person. */
  path: string;
  roles: readonly Choice<Role>[];
  first: Role;
}

export function Invite<Role extends string, Invited>(props: InviteProps<Role, Invited>): JSX.Element {
  const { title, path, roles, first, onMade, onClose } = props;
  const [email, setEmail] = useState('');
  const [role, setRole] = useState(first);
  const action = useAction(async () => onMade(await post<Invited>(path, { email: email.trim(), role })));
  return (
    <Dialog title={title} onClose={onClose}>
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
        <ChoiceField<Role> label="Role" value={role} choices={roles} onInput={setRole} />
        <FormEnd action={action} verb="Create the link" before={<CancelButton />} />
      </Form>
    </Dialog>
  );
}

interface RoleProps<Role extends string> {
  /** That of the person. */
  path: string;
  person: Person;
  roles: readonly Choice<Role>[];
  first: Role;
  onDone: () => void;
  onClose: () => void;
}

export function ChangeRole<Role extends string>(props: RoleProps<Role>): JSX.Element {
  const { path, person, roles, first, onDone, onClose } = props;
  const [role, setRole] = useState(first);
  const change = async () => {
    await request('PATCH', path, { body: { role } });
    announce(`${person.email} is ${role} now.`);
    onDone();
  };
  return (
    <Confirm
      title={`Role of ${person.email}`}
      verb="Save"
      kind="primary"
      onConfirm={change}
      onClose={onClose}
    >
      <ChoiceField<Role> label="Role" value={role} choices={roles} onInput={setRole} />
    </Confirm>
  );
}

interface NewLinkProps<Invited> extends DialogProps<Invited> {
  /** That of the person. */
  path: string;
  person: Person;
  /** What the new link ends. */
  text: string;
  kind: ButtonKind;
}

export function NewLink<Invited>(props: NewLinkProps<Invited>): JSX.Element {
  const { path, person, text, kind, onMade, onClose } = props;
  const action = useAction(async () => onMade(await post<Invited>(`${path}/invitation`)));
  return (
    <Dialog title={`A new link for ${person.email}?`} onClose={onClose}>
      <p>{text}</p>
      <Failure error={action.error} />
      <div class="form-actions">
        <CancelButton />
        <Button kind={kind} busy={action.busy} onClick={() => action.run()}>
          Create the link
        </Button>
      </div>
    </Dialog>
  );
}
