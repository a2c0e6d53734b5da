import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { Problem } from '../api/problem.ts';
import { signIn } from '../api/session.ts';
import { site } from '../site.ts';
import { useAction } from '../ui/action.ts';
import { Button } from '../ui/button.tsx';
import { PasswordField, TextField } from '../ui/field.tsx';
import { Form, FormEnd } from '../ui/form.tsx';
import { Mark } from '../ui/icon.tsx';

/** Replaces any page before sign-in. The URL stays, so that the page appears afterwards. */
export function SignInPage(): JSX.Element {
  useEffect(() => {
    document.title = 'Sign in · Mintmark';
  }, []);
  return (
    <Door title="Sign in">
      <SignInForm email="" />
      <details>
        <summary>Cannot sign in?</summary>
        <div class="stack tight soft small">
          {site.kind === 'console' ? <HelpForOperators /> : <HelpForMembers />}
        </div>
      </details>
    </Door>
  );
}

function HelpForOperators(): JSX.Element {
  return (
    <>
      <p>Another admin can send you a new link: Operators, then Reset.</p>
      <p>
        Anyone with a shell on the server can run <code>npx mintmark operator reset</code>. To create the
        first admin, use the link that the server prints when it starts, or{' '}
        <code>npx mintmark operator create</code>.
      </p>
    </>
  );
}

function HelpForMembers(): JSX.Element {
  return (
    <p>
      An admin of your organisation, or the operator of the platform, can send you a new link. If you have no
      account yet, you need an invitation of theirs.
    </p>
  );
}

/** A card in the middle of an empty page. */
export function Door(props: { title: string; isWide?: boolean; children: ComponentChildren }): JSX.Element {
  const { title, isWide = false, children } = props;
  return (
    <main class={isWide ? 'door wide' : 'door'} id="main">
      <span class="brand">
        <Mark size={32} />
        Mintmark
      </span>
      <section class="card" aria-labelledby="door-title">
        <h1 id="door-title">{title}</h1>
        {children}
      </section>
    </main>
  );
}

type Step = 'password' | 'code';

/** E-mail address and password, then the second factor if it is on. */
export function SignInForm({ email: initialEmail }: { email: string }): JSX.Element {
  const [step, setStep] = useState<Step>('password');
  const [email, setEmail] = useState(initialEmail);
  const [password, setPassword] = useState('');
  const [code, setCode] = useState('');
  const action = useAction(async () => {
    try {
      await signIn({
        email: email.trim(),
        password,
        ...(step === 'code' && { code: code.replaceAll(/\s/g, '') }),
      });
    } catch (error) {
      if (error instanceof Problem && error.code === 'second_factor_required' && step === 'password')
        setStep('code');
      else throw error;
    }
  });
  const startOver = () => {
    setStep('password');
    setCode('');
    action.clear();
  };
  return (
    <Form onSubmit={() => action.run()} guarded={false}>
      {step === 'password' ? (
        <>
          <TextField
            label="E-mail address"
            type="email"
            name="email"
            autocomplete="username"
            value={email}
            onInput={setEmail}
            required
            autofocus={initialEmail === ''}
          />
          <PasswordField
            label="Password"
            autocomplete="current-password"
            value={password}
            onInput={setPassword}
          />
        </>
      ) : (
        <CodeStep code={code} onInput={setCode} email={email} />
      )}
      <FormEnd
        action={action}
        verb={step === 'code' ? 'Confirm' : 'Sign in'}
        before={step === 'code' && <Button onClick={startOver}>Back</Button>}
      />
    </Form>
  );
}

function CodeStep(props: { code: string; onInput: (code: string) => void; email: string }): JSX.Element {
  return (
    <>
      <p class="soft breakable">The password of {props.email} is correct. Now enter the second factor.</p>
      <TextField
        label="Code"
        hint="Six digits from your authenticator app, or one of your recovery codes."
        name="code"
        autocomplete="one-time-code"
        value={props.code}
        onInput={props.onInput}
        required
        autofocus
        mono
      />
    </>
  );
}
