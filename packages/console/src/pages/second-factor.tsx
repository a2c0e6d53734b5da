import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { post, request } from '../api/client.ts';
import { loadSession } from '../api/session.ts';
import { announce } from '../state/announce.ts';
import { useLeaveGuard } from '../state/leave-guard.ts';
import { useActor } from '../state/session.ts';
import { useAction } from '../ui/action.ts';
import { Badge } from '../ui/badge.tsx';
import { Button } from '../ui/button.tsx';
import { CodeBlock } from '../ui/copy.tsx';
import { CancelButton, Dialog } from '../ui/dialog.tsx';
import { saveAs } from '../ui/download.ts';
import { PasswordField, TextField } from '../ui/field.tsx';
import { Form, FormEnd } from '../ui/form.tsx';
import { Failure, Notice } from '../ui/notice.tsx';
import { Card } from '../ui/page.tsx';
import { QrCode } from '../ui/qr.tsx';

export function SecondFactor(): JSX.Element {
  const actor = useActor();
  const [open, setOpen] = useState<'on' | 'off' | null>(null);
  const isOn = actor?.second_factor === true;
  return (
    <Card
      title="Second factor"
      actions={isOn ? <Badge kind="good">on</Badge> : <Badge kind="warn">off</Badge>}
    >
      {isOn ? (
        <p>Signing in needs a code from your authenticator app, or one of your recovery codes.</p>
      ) : (
        <p>
          Without a second factor, your password is enough to sign in as you. With one, a code from an
          authenticator app on your phone is needed too.
        </p>
      )}
      <div>
        {isOn ? (
          <Button kind="danger-quiet" onClick={() => setOpen('off')}>
            Turn off
          </Button>
        ) : (
          <Button kind="primary" onClick={() => setOpen('on')}>
            Turn on
          </Button>
        )}
      </div>
      {open === 'on' && <TurnOn onClose={() => setOpen(null)} />}
      {open === 'off' && <TurnOff onClose={() => setOpen(null)} />}
    </Card>
  );
}

interface Pending {
  secret: string;
  otpauth_uri: string;
}

/** A dialog in three steps: password, code from the phone, recovery codes. */
function TurnOn({ onClose }: { onClose: () => void }): JSX.Element {
  const [pending, setPending] = useState<Pending | null>(null);
  const [codes, setCodes] = useState<readonly string[] | null>(null);
  const finish = async () => {
    await loadSession();
    announce('The second factor is on. Your other sessions have ended.');
    onClose();
  };
  return (
    <Dialog title="Turn on the second factor" onClose={onClose} closable={codes === null}>
      {codes !== null ? (
        <RecoveryCodes codes={codes} onDone={finish} />
      ) : pending === null ? (
        <PasswordStep onPending={setPending} />
      ) : (
        <CodeStep pending={pending} onCodes={setCodes} />
      )}
    </Dialog>
  );
}

function PasswordStep({ onPending }: { onPending: (pending: Pending) => void }): JSX.Element {
  const [password, setPassword] = useState('');
  const action = useAction(async () =>
    onPending(await post<Pending>('/profile/second-factor', { current_password: password })),
  );
  return (
    <Form onSubmit={() => action.run()}>
      <PasswordField
        label="Your password"
        hint="Protects you if this page is left open."
        autocomplete="current-password"
        value={password}
        onInput={setPassword}
        error={action.errorOf('current_password')}
      />
      <FormEnd action={action} verb="Next" />
    </Form>
  );
}

function CodeStep(props: { pending: Pending; onCodes: (codes: string[]) => void }): JSX.Element {
  const { pending, onCodes } = props;
  const [code, setCode] = useState('');
  const action = useAction(async () => {
    const body = { code: code.replaceAll(/\s/g, '') };
    onCodes(
      (await request<{ recovery_codes: string[] }>('PUT', '/profile/second-factor', { body })).data
        .recovery_codes,
    );
  });
  return (
    <Form onSubmit={() => action.run()}>
      <p>Scan this with your authenticator app:</p>
      <QrCode text={pending.otpauth_uri} label="QR code for an authenticator app" />
      <details>
        <summary>On this device, or without a camera</summary>
        <div class="stack tight">
          <a href={pending.otpauth_uri}>Open in an authenticator app</a>
          <span class="small">Or type this key:</span>
          <CodeBlock text={pending.secret} what="key of the second factor" />
        </div>
      </details>
      <TextField
        label="The code that the app shows"
        hint="Six digits."
        value={code}
        onInput={setCode}
        inputMode="numeric"
        autocomplete="one-time-code"
        error={action.errorOf('code')}
        required
        autofocus
        mono
      />
      <FormEnd action={action} verb="Turn on" />
    </Form>
  );
}

const WITHOUT_CODES = {
  title: 'Leave without the recovery codes?',
  text: 'They cannot be shown again. Without them you cannot sign in if you lose your phone.',
};

function RecoveryCodes(props: { codes: readonly string[]; onDone: () => Promise<void> }): JSX.Element {
  const { codes, onDone } = props;
  useLeaveGuard(true, WITHOUT_CODES);
  const text = codes.join('\n');
  const action = useAction(onDone);
  return (
    <div class="stack">
      <Notice kind="warn" title="Your recovery codes, shown only once">
        <p>Each code works once if you lose your phone. Do not keep them on the phone.</p>
      </Notice>
      <CodeBlock text={text} what="recovery codes" />
      <Failure error={action.error} />
      <div class="form-actions">
        <Button icon="download" onClick={() => saveAs('mintmark-recovery-codes.txt', `${text}\n`)}>
          .txt
        </Button>
        <Button kind="primary" busy={action.busy} onClick={() => action.run()}>
          I have stored them
        </Button>
      </div>
    </div>
  );
}

function TurnOff({ onClose }: { onClose: () => void }): JSX.Element {
  const [password, setPassword] = useState('');
  const [code, setCode] = useState('');
  const action = useAction(async () => {
    await request('DELETE', '/profile/second-factor', { body: { current_password: password, code } });
    await loadSession();
    announce('The second factor is off.');
    onClose();
  });
  return (
    <Dialog title="Turn off the second factor?" onClose={onClose}>
      <Form onSubmit={() => action.run()} guarded={false}>
        <p>
          From then on your password alone is enough to sign in. The recovery codes stop working, and your
          other sessions end.
        </p>
        <PasswordField
          label="Your password"
          autocomplete="current-password"
          value={password}
          onInput={setPassword}
          error={action.errorOf('current_password')}
        />
        <TextField
          label="Code"
          hint="Six digits from your authenticator app, or a recovery code."
          value={code}
          onInput={setCode}
          autocomplete="one-time-code"
          error={action.errorOf('code')}
          required
          mono
        />
        <FormEnd action={action} verb="Turn off" kind="danger" before={<CancelButton />} />
      </Form>
    </Dialog>
  );
}
