import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { useLocation } from 'preact-iso/router';
import { post } from '../api/client.ts';
import type { Role } from '../../../server/src/domain/actor.ts';
import type { OperatorSessionJson } from '../../../server/src/http/admin/session.wire.ts';
import { paths } from '../paths.ts';
import { announce } from '../state/announce.ts';
import { signedIn } from '../state/session.ts';
import { useAction } from '../ui/action.ts';
import { RoleBadge } from '../ui/badge.tsx';
import { LinkButton } from '../ui/button.tsx';
import { PasswordField, TextField, UsernameForManagers } from '../ui/field.tsx';
import { Form, FormEnd } from '../ui/form.tsx';
import { Failure, Notice } from '../ui/notice.tsx';
import { Skeleton } from '../ui/loaded.tsx';
import { Door } from './sign-in.tsx';

/** The link's token, removed from the address bar and history before anything else. */
const token = takeToken();

function takeToken(): string {
  if (location.pathname !== paths.welcome) return '';
  const fragment = location.hash.slice(1);
  if (fragment !== '') history.replaceState(null, '', location.pathname);
  return fragment;
}

interface Invited {
  /** Null: the first admin, who types it. */
  email: string | null;
  role: Role;
}

/** The page of an invitation link, where a new or reset operator chooses a password. */
export function WelcomePage(): JSX.Element {
  const [invited, setInvited] = useState<Invited | null>(null);
  const { run, error } = useAction(async () => {
    setInvited(await post<Invited>('/invitations/inspect', { token }, { signIn: false }));
  });
  useEffect(() => {
    document.title = 'Welcome · Mintmark';
    if (token !== '') run();
  }, [run]);
  return (
    <Door title="Welcome">
      {token === '' ? (
        <Notice kind="warn" title="This page needs the complete link">
          <p>Open the link of your invitation again. A reload of this page loses it.</p>
        </Notice>
      ) : invited === null && error === undefined ? (
        <Skeleton size="line" />
      ) : (
        <Failure error={error}>
          <p>Ask an admin for a new link: Operators, then Reset.</p>
        </Failure>
      )}
      {invited !== null && <AcceptForm invited={invited} />}
      {(token === '' || error !== undefined) && (
        <LinkButton href={paths.overview}>Go to the sign-in</LinkButton>
      )}
    </Door>
  );
}

function AcceptForm({ invited }: { invited: Invited }): JSX.Element {
  const { route } = useLocation();
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const action = useAction(async () => {
    const body = { token, password, ...(invited.email === null && { email: email.trim() }) };
    signedIn(await post<OperatorSessionJson>('/invitations/accept', body, { signIn: false }));
    announce('Your password is set. Now turn on the second factor.');
    route(paths.profile, true);
  });
  return (
    <Form onSubmit={() => action.run()}>
      {invited.email === null ? (
        <>
          <p>
            This Mintmark has no operators yet. This link makes you its first{' '}
            <RoleBadge role={invited.role} />: you.
          </p>
          <TextField
            label="E-mail address"
            type="email"
            hint="Used to sign in. No e-mail is sent."
            name="email"
            autocomplete="username"
            value={email}
            onInput={setEmail}
            error={action.errorOf('email')}
            required
            autofocus
          />
        </>
      ) : (
        <>
          <p>
            You are <strong class="breakable">{invited.email}</strong>, with the role{' '}
            <RoleBadge role={invited.role} />. Choose a password to start.
          </p>
          <UsernameForManagers email={invited.email} />
        </>
      )}
      <PasswordField
        label="New password"
        autocomplete="new-password"
        hint="At least 12 characters that are hard to guess. Several words work well."
        value={password}
        onInput={setPassword}
        error={action.errorOf('password')}
      />
      <FormEnd action={action} verb="Set the password and sign in" />
    </Form>
  );
}
