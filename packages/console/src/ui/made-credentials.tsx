import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { post } from '../api/client.ts';
import type { MadeCredentialJson } from '../../../server/src/http/admin/member.wire.ts';
import { plural } from '../format.ts';
import { useLeaveGuard } from '../state/leave-guard.ts';
import { useAction } from './action.ts';
import { Button } from './button.tsx';
import { CodeBlock } from './copy.tsx';
import { CancelButton, Dialog } from './dialog.tsx';
import { saveAs } from './download.ts';
import { CheckField, ChoiceField, type Choice } from './field.tsx';
import { Failure, Notice } from './notice.tsx';

interface ResetJson {
  reset: { client_id: string; api_user_name: string; client_secret: string }[];
  left: (MadeCredentialJson & { problem: string })[];
}

type End = 'quiet' | 'now';

const ENDS: readonly Choice<End>[] = [
  {
    value: 'quiet',
    text: 'when quiet',
    hint: 'When the new one was used and the old one was unused for 25 hours. No call is refused.',
  },
  {
    value: 'now',
    text: 'now',
    hint: 'If the person must not use them any more. Programs stop until they have the new one.',
  },
];

/** The credentials that a former member made or saw, and their reset in one step. */
export function MadeCredentials(props: {
  /** API path of the member. */
  path: string;
  email: string;
  credentials: readonly MadeCredentialJson[];
  onClose: () => void;
}): JSX.Element {
  const { path, email, credentials, onClose } = props;
  const [end, setEnd] = useState<End>('quiet');
  const [result, setResult] = useState<ResetJson | null>(null);
  const action = useAction(async () => {
    const body = end === 'now' ? { overlap_seconds: 0 } : { when_quiet: true };
    setResult(await post<ResetJson>(`${path}/reset`, body));
  });
  if (result !== null) {
    return (
      <Dialog title="The new secrets" onClose={onClose}>
        <NewSecrets result={result} onDone={onClose} />
      </Dialog>
    );
  }
  return (
    <Dialog title={`What ${email} knows`} onClose={onClose}>
      <p>
        This person made or saw {plural(credentials.length, 'credential')} that still work. Reset them, so
        that only your members know the new ones.
      </p>
      <ul class="consequences">
        {credentials.map((one) => (
          <li key={one.id} class="breakable">
            <strong>{one.api_user_name}</strong>: {one.name} (<code>{one.id}</code>)
          </li>
        ))}
      </ul>
      <ChoiceField<End> label="The old ones end" value={end} choices={ENDS} onInput={setEnd} />
      <Failure error={action.error} />
      <div class="form-actions">
        <CancelButton />
        <Button kind={end === 'now' ? 'danger' : 'primary'} busy={action.busy} onClick={() => action.run()}>
          Reset {plural(credentials.length, 'credential')}
        </Button>
      </div>
    </Dialog>
  );
}

const WITHOUT = {
  title: 'Leave without the secrets?',
  text: 'They cannot be shown again. If you have not stored one, reset it on the page of its API user.',
};

function NewSecrets({ result, onDone }: { result: ResetJson; onDone: () => void }): JSX.Element {
  const { reset, left } = result;
  const [stored, setStored] = useState(reset.length === 0);
  useLeaveGuard(!stored, WITHOUT);
  return (
    <>
      {reset.length > 0 && (
        <>
          <Notice kind="warn" title="The secrets are shown only once">
            <p>Take each one to its program before you close this.</p>
          </Notice>
          {reset.map(({ client_id: id, api_user_name: name, client_secret: secret }) => (
            <div class="stack tight" key={secret}>
              <span class="label breakable">
                {name} (<code>{id}</code>)
              </span>
              <CodeBlock text={secret} what={`secret of ${name}`} />
            </div>
          ))}
          <div>
            <Button icon="download" onClick={() => saveAs('new-secrets.txt', textOf(result))}>
              .txt
            </Button>
          </div>
        </>
      )}
      {left.length > 0 && (
        <Notice kind="warn" title="Not reset">
          <ul class="consequences">
            {left.map((one) => (
              <li key={one.id} class="breakable">
                <strong>{one.api_user_name}</strong>: {one.name}. {one.problem}
              </li>
            ))}
          </ul>
        </Notice>
      )}
      {reset.length > 0 && (
        <CheckField label="I have stored the secrets" checked={stored} onInput={setStored} />
      )}
      <div class="form-actions">
        <Button kind="primary" disabled={!stored} onClick={onDone}>
          Done
        </Button>
      </div>
    </>
  );
}

function textOf({ reset }: ResetJson): string {
  return reset
    .map(
      (one) => `${one.api_user_name}\nclient_id      ${one.client_id}\nclient_secret  ${one.client_secret}\n`,
    )
    .join('\n');
}
