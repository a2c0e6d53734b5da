import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { useLocation } from 'preact-iso/router';
import { post } from '../api/client.ts';
import type { ApiUserJson } from '../../../server/src/http/admin/api-user.wire.ts';
import type { CredentialJson } from '../../../server/src/http/admin/credential.wire.ts';
import { paths } from '../paths.ts';
import { announce } from '../state/announce.ts';
import { useResource } from '../state/resource.ts';
import { handOver } from '../state/hand-over.ts';
import { useAction } from '../ui/action.ts';
import { Button } from '../ui/button.tsx';
import { CancelButton, Dialog } from '../ui/dialog.tsx';
import { CheckField, SelectField } from '../ui/field.tsx';
import { Form } from '../ui/form.tsx';
import { Failure } from '../ui/notice.tsx';
import { apiUserPath } from '../api/paths.ts';

interface CutOffAnswer {
  retired?: unknown[];
  credential?: CredentialJson;
  client_secret?: string;
}

function whatEnds(live: number): string {
  return live === 1 ? 'Its live credential' : `All its ${live} live credentials`;
}

/** For a leaked secret: revokes it and its tokens in one step. */
export function CutOff({ user, onClose }: { user: ApiUserJson; onClose: () => void }): JSX.Element {
  const { route } = useLocation();
  const [which, setWhich] = useState('');
  const [withNew, setWithNew] = useState(true);
  const credentials = useResource<{ items: CredentialJson[] }>(`${apiUserPath(user.client_id)}/credentials`);
  const live = credentials.data?.items.filter(({ state }) => state === 'live') ?? [];
  const action = useAction(async () => {
    const body = { ...(which !== '' && { credential_id: which }), new_secret: withNew };
    const answer = await post<CutOffAnswer>(`${apiUserPath(user.client_id)}/cut-off`, body);
    announce(`${user.name} is cut off.`);
    onClose();
    if (answer.credential !== undefined && answer.client_secret !== undefined) {
      const { id: credentialId } = answer.credential;
      handOver({
        clientId: user.client_id,
        name: user.name,
        credentialId,
        kind: 'secret',
        secret: answer.client_secret,
      });
    }
    route(paths.cutOff(user.client_id));
  });
  return (
    <Dialog title={`Cut off ${user.name} now?`} onClose={onClose}>
      <Form onSubmit={() => action.run()} guarded={false}>
        <ul class="consequences">
          <li>{which !== '' ? 'That credential' : whatEnds(live.length)}: refused immediately.</li>
          <li>All its tokens: revoked. APIs with @mintmark/verifier refuse them within ten seconds.</li>
          <li>Its programs stop until they have a valid secret.</li>
        </ul>
        {live.length > 1 && (
          <SelectField
            label="What leaked"
            value={which}
            options={[
              { value: '', text: 'Not sure: all of them' },
              ...live.map(({ id, name }) => ({ value: id, text: `${name} (${id})` })),
            ]}
            onInput={setWhich}
          />
        )}
        <CheckField
          label="Create a new secret now"
          hint="It is shown on the next page, once."
          checked={withNew}
          onInput={setWithNew}
        />
        <Failure error={action.error ?? credentials.error} />
        <div class="form-actions">
          <CancelButton />
          <Button kind="danger" icon="bolt" type="submit" busy={action.busy}>
            Cut it off
          </Button>
        </div>
      </Form>
    </Dialog>
  );
}
