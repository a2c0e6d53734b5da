import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { useLocation } from 'preact-iso/router';
import { post } from '../api/client.ts';
import { loadSession } from '../api/session.ts';
import type { Role } from '../api/types.ts';
import { paths } from '../paths.ts';
import { announce } from '../state/announce.ts';
import { useAction } from '../ui/action.ts';
import { RoleBadge } from '../ui/badge.tsx';
import { Button, LinkButton } from '../ui/button.tsx';
import { PasswordField } from '../ui/field.tsx';
import { Failure, Notice } from '../ui/notice.tsx';
import { Skeleton } from '../ui/loaded.tsx';
import { Door } from './sign-in.tsx';

/** The token of the link, taken out of the address bar and the history before anything else happens. */
const token = takeToken();

function takeToken(): string {
  if (location.pathname !== paths.welcome) return '';
  const given = location.hash.slice(1);
  if (given !== '') history.replaceState(null, '', location.pathname);
  return given;
}

interface Invited {
  email: string;
  role: Role;
}

/** Where the link of an invitation leads: a new operator chooses a password here, or one who was reset another. */
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
        <Notice kind="warn" title="This page needs the whole link">
          <p>
            Open the link of your invitation again. It works once, and this page does not keep it when it is
            reloaded.
          </p>
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
  const [password, setPassword] = useState('');
  const action = useAction(async () => {
    await post('/invitations/accept', { token, password }, { signIn: false });
    await loadSession();
    announce('Your password is set. Now turn on the second factor.');
    route(paths.profile, true);
  });
  return (
    <form
      class="stack"
      onSubmit={(event) => {
        event.preventDefault();
        action.run();
      }}
    >
      <p>
        You are <strong class="breakable">{invited.email}</strong>, with the role{' '}
        <RoleBadge role={invited.role} />. Choose a password to begin.
      </p>
      {/* For password managers: whose password this is. */}
      <input
        class="unseen"
        type="text"
        name="email"
        autocomplete="username"
        value={invited.email}
        readOnly
        tabIndex={-1}
        aria-hidden="true"
      />
      <PasswordField
        label="New password"
        autocomplete="new-password"
        hint="At least 12 characters that nobody would guess. Several words do well."
        value={password}
        onInput={setPassword}
        error={action.errorOf('password')}
      />
      <Failure error={action.error} />
      <div class="form-actions">
        <Button kind="primary" type="submit" busy={action.busy}>
          Set the password and sign in
        </Button>
      </div>
    </form>
  );
}
