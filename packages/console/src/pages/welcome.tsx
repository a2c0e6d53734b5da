import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { useLocation } from 'preact-iso/router';
import { post } from '../api/client.ts';
import { Problem } from '../api/problem.ts';
import type { Role } from '../../../server/src/domain/actor.ts';
import type { MemberRole } from '../../../server/src/domain/organisation.ts';
import type { OperatorSessionJson } from '../../../server/src/http/admin/session.wire.ts';
import { paths } from '../paths.ts';
import { site } from '../site.ts';
import { announce } from '../state/announce.ts';
import { takeLinkToken } from '../state/link-token.ts';
import { session, signedIn } from '../state/session.ts';
import { useStore } from '../state/store.ts';
import { useAction } from '../ui/action.ts';
import { RoleBadge } from '../ui/badge.tsx';
import { LinkButton } from '../ui/button.tsx';
import { PasswordField, TextField, UsernameForManagers } from '../ui/field.tsx';
import { Form, FormEnd } from '../ui/form.tsx';
import { Failure, Notice } from '../ui/notice.tsx';
import { Skeleton } from '../ui/loaded.tsx';
import { Door } from './sign-in.tsx';

/** The link's token, removed from the address bar and history before anything else. */
const token = takeLinkToken(paths.welcome);

interface Invited {
  /** Null: the first admin, who types it. */
  email: string | null;
  role: Role | MemberRole;
  /** Null: invited as an operator. */
  organisation: string | null;
  /** `nothing`: the person is signed in with the invited account. */
  needs: 'password' | 'nothing';
}

/** The page of an invitation link, where a new or reset operator, or a member, chooses a password. */
export function WelcomePage(): JSX.Element | null {
  const [invited, setInvited] = useState<Invited | null>(null);
  // The answer depends on the session, which is loaded before.
  const isKnown = useStore(session).is !== 'unknown';
  const { run, error } = useAction(async () => {
    setInvited(await post<Invited>('/invitations/inspect', { token }, { signIn: false }));
  });
  useEffect(() => {
    document.title = 'Welcome · Mintmark';
    if (token !== '' && isKnown) run();
  }, [run, isKnown]);
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
          <p>
            {site.kind === 'console'
              ? 'Ask an admin for a new link: Operators, then Reset.'
              : 'Ask for a new link: an admin of the organisation, or the operator of the platform.'}
          </p>
        </Failure>
      )}
      {invited !== null &&
        (invited.organisation === null ? (
          <AcceptForm invited={invited} />
        ) : (
          <JoinForm invited={invited} organisation={invited.organisation} />
        ))}
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
        hint={PASSWORD_HINT}
        value={password}
        onInput={setPassword}
        error={action.errorOf('password')}
      />
      <FormEnd action={action} verb="Set the password and sign in" />
    </Form>
  );
}

const PASSWORD_HINT = 'At least 12 characters that are hard to guess. Several words work well.';

/** Joins an organisation, with an account that the person has, or with a new one. */
function JoinForm({ invited, organisation }: { invited: Invited; organisation: string }): JSX.Element {
  const [password, setPassword] = useState('');
  const [code, setCode] = useState<string | null>(null);
  const action = useAction(async () => {
    const body = {
      token,
      ...(invited.needs === 'password' && { password }),
      ...(code !== null && { code: code.replaceAll(/\s/g, '') }),
    };
    try {
      signedIn(await post<OperatorSessionJson>('/invitations/accept', body, { signIn: false }));
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== 'second_factor_required' || code !== null)
        throw error;
      setCode('');
      return;
    }
    // Another site: its pages need the organisation, which this document does not have.
    location.assign(paths.portal);
  });
  return (
    <Form onSubmit={() => action.run()} guarded={false}>
      <p>
        <strong class="breakable">{organisation}</strong> invites you
        {invited.email !== null && (
          <>
            , <strong class="breakable">{invited.email}</strong>,
          </>
        )}{' '}
        as <RoleBadge role={invited.role} />.
      </p>
      {invited.needs === 'password' && code === null && (
        <>
          <UsernameForManagers email={invited.email ?? ''} />
          <PasswordField
            label="Password"
            autocomplete="current-password"
            hint={`Your password, if you have an account here. If not, choose one: ${PASSWORD_HINT.charAt(0).toLowerCase()}${PASSWORD_HINT.slice(1)}`}
            value={password}
            onInput={setPassword}
            error={action.errorOf('password')}
          />
        </>
      )}
      {code !== null && (
        <TextField
          label="Code"
          hint="You have an account: six digits from your authenticator app, or one of your recovery codes."
          name="code"
          autocomplete="one-time-code"
          value={code}
          onInput={setCode}
          required
          autofocus
          mono
        />
      )}
      <FormEnd
        action={action}
        verb={`Join ${organisation.length > 40 ? 'the organisation' : organisation}`}
      />
    </Form>
  );
}
