import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { post } from '../api/client.ts';
import { Problem } from '../api/problem.ts';
import { plural } from '../format.ts';
import { announce } from '../state/announce.ts';
import { Confirm } from '../ui/dialog.tsx';
import { CheckField } from '../ui/field.tsx';
import { Objection, useForce } from '../ui/force.tsx';
import { Notice } from '../ui/notice.tsx';
import { OrganisationField, PLATFORM } from '../ui/organisation-field.tsx';

/** Moves API users into an organisation, or out of one. */
export function MoveApiUsers(props: {
  clientIds: readonly string[];
  onMoved: () => void;
  onClose: () => void;
}): JSX.Element {
  const { clientIds, onMoved, onClose } = props;
  const [organisation, setOrganisation] = useState('');
  const [keep, setKeep] = useState(false);
  const [faults, setFaults] = useState<Problem['errors']>([]);
  const force = useForce();
  const send = async (forced: boolean) => {
    const body = {
      client_ids: clientIds,
      organisation_id: organisation === PLATFORM ? null : organisation,
      ...(keep ? { keep_credentials: true } : { force: forced }),
    };
    const { moved } = await post<{ moved: string[] }>('/api-users/move', body);
    announce(`Moved ${plural(moved.length, 'API user')}.`);
    onMoved();
  };
  const move = async () => {
    setFaults([]);
    try {
      return await force.attempt(send);
    } catch (error) {
      if (error instanceof Problem) setFaults(error.errors);
      throw error;
    }
  };
  const isHeldBack = !keep && force.objection !== null && !force.overruled;
  return (
    <Confirm
      title={`Move ${plural(clientIds.length, 'API user')}`}
      verb="Move"
      kind={keep ? 'primary' : 'danger'}
      disabled={organisation === '' || isHeldBack}
      onConfirm={move}
      onClose={onClose}
    >
      <OrganisationField label="Move to" value={organisation} onInput={setOrganisation} />
      <CheckField
        label="The same people use it: keep the credentials and tokens"
        hint="Otherwise its credentials end and its tokens are revoked: the people who had them lose their access."
        checked={keep}
        onInput={setKeep}
      />
      {!keep && <Objection force={force} label="Move although it is in use" />}
      {faults.length > 0 && (
        <Notice kind="warn" title="The policy of the organisation forbids it" alert>
          <ul class="consequences">
            {faults.map(({ pointer, detail }) => (
              <li key={pointer} class="breakable">
                <code>{pointer}</code>: {detail}
              </li>
            ))}
          </ul>
        </Notice>
      )}
    </Confirm>
  );
}
