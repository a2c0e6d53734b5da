import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { post } from '../api/client.ts';
import { Problem } from '../api/problem.ts';
import type { CredentialJson } from '../../../server/src/http/admin/credential.wire.ts';
import { sentence } from '../format.ts';
import { announce } from '../state/announce.ts';
import { useAction } from '../ui/action.ts';
import { CancelButton, Dialog } from '../ui/dialog.tsx';
import { kindText } from '../ui/credential-kind.ts';
import { CheckField } from '../ui/field.tsx';
import { Form, FormEnd } from '../ui/form.tsx';
import { Notice } from '../ui/notice.tsx';

export interface RetireProps {
  credential: CredentialJson;
  onRetired: () => void;
  onClose: () => void;
}

/** Retires a credential. If a caller could fail, explains why and offers to override. */
export function Retire({ credential, onRetired, onClose }: RetireProps): JSX.Element {
  const kind = kindText(credential.kind);
  const [objection, setObjection] = useState(credential.retirement_objection);
  const [overruled, setOverruled] = useState(false);
  const action = useAction(async () => {
    try {
      await post(`/credentials/${credential.id}/retire`, { force: overruled });
    } catch (error) {
      // It was used after the dialog opened.
      if (!(error instanceof Problem) || error.code !== 'unsafe') throw error;
      setObjection(error.message);
      return;
    }
    announce(`Retired ${credential.name}.`);
    onRetired();
    onClose();
  });
  return (
    <Dialog title={`Retire ${credential.name}?`} onClose={onClose}>
      <Form onSubmit={() => action.run()} guarded={false}>
        <p>
          From then on, calls with the {kind} <code>{credential.id}</code> are refused. This cannot be undone:
          a retired {kind} never works again.
        </p>
        {objection === null ? (
          <Notice kind="good" title="It seems to be unused">
            <p>It was not used in the last hour. No newer credential waits for its first use.</p>
          </Notice>
        ) : (
          <>
            <Notice kind="warn" title="A caller could fail" alert>
              <p>Why it should stay: {sentence(objection)}</p>
              <p>Move its callers to another credential first; this page shows when the old one is quiet.</p>
            </Notice>
            <CheckField
              label="Retire it anyway"
              hint="Programs that still use it get no more tokens."
              checked={overruled}
              onInput={setOverruled}
            />
          </>
        )}
        <FormEnd
          action={action}
          verb="Retire"
          kind="danger"
          disabled={objection !== null && !overruled}
          before={<CancelButton />}
        />
      </Form>
    </Dialog>
  );
}
