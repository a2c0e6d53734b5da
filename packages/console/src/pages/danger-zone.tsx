import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { useLocation } from 'preact-iso/router';
import { post, request } from '../api/client.ts';
import { messageOf } from '../api/problem.ts';
import type { ApiUserJson } from '../../../server/src/http/admin/api-user.wire.ts';
import { paths } from '../paths.ts';
import { announce } from '../state/announce.ts';
import { useMay } from '../state/session.ts';
import { useAction } from '../ui/action.ts';
import { Button } from '../ui/button.tsx';
import { Confirm } from '../ui/dialog.tsx';
import { CheckField } from '../ui/field.tsx';
import { Objection, useForce } from '../ui/force.tsx';
import { Failure } from '../ui/notice.tsx';
import { Card } from '../ui/page.tsx';
import { apiUserPath } from '../api/paths.ts';

/** Destructive actions: an undo if possible, otherwise a confirmation. */
export function DangerZone(props: { user: ApiUserJson; onChanged: () => void }): JSX.Element | null {
  const { user, onChanged } = props;
  const mayWrite = useMay('operator');
  const [open, setOpen] = useState<'revoke' | 'delete' | null>(null);
  if (!mayWrite) return null;
  return (
    <Card title="Stop it">
      <ul class="plain-list">
        {user.enabled && <Disable user={user} onChanged={onChanged} />}
        <li class="row apart">
          <span>
            <strong>Revoke its tokens</strong>
            <span class="hint block">
              APIs with @mintmark/verifier refuse them within ten seconds. It can get new ones at once.
            </span>
          </span>
          <Button kind="danger-quiet" onClick={() => setOpen('revoke')}>
            Revoke tokens
          </Button>
        </li>
        <li class="row apart">
          <span>
            <strong>Delete it</strong>
            <span class="hint block">
              Deletes it and its credentials permanently. Its history stays in the audit log.
            </span>
          </span>
          <Button kind="danger-quiet" icon="trash" onClick={() => setOpen('delete')}>
            Delete
          </Button>
        </li>
      </ul>
      {open === 'revoke' && <Revoke user={user} onClose={() => setOpen(null)} />}
      {open === 'delete' && <Delete user={user} onClose={() => setOpen(null)} />}
    </Card>
  );
}

function Disable({ user, onChanged }: { user: ApiUserJson; onChanged: () => void }): JSX.Element {
  const path = apiUserPath(user.client_id);
  const force = useForce();
  const [asking, setAsking] = useState(false);
  const undo = () => {
    post(`${path}/enable`).then(onChanged, (error: unknown) =>
      announce(messageOf(error), { kind: 'failed' }),
    );
  };
  const disable = () =>
    force.attempt(async (forced) => {
      await post(`${path}/disable`, { revoke_tokens: false, force: forced });
      onChanged();
      announce(`${user.name} is disabled.`, { undo });
    });
  const action = useAction(async () => {
    if (!(await disable())) setAsking(true);
  });
  return (
    <li class="row apart">
      <span>
        <strong>Disable it</strong>
        <span class="hint block">
          It gets no tokens until it is enabled again. Its present tokens stay valid until they expire.
        </span>
      </span>
      <Button kind="danger-quiet" busy={action.busy} onClick={() => action.run()}>
        Disable
      </Button>
      <Failure error={action.error} />
      {asking && (
        <Confirm
          title={`Disable ${user.name} although it is in use?`}
          verb="Disable"
          disabled={!force.overruled}
          onConfirm={disable}
          onClose={() => setAsking(false)}
        >
          <Objection force={force} label="Disable it although it is in use" />
        </Confirm>
      )}
    </li>
  );
}

function Revoke({ user, onClose }: { user: ApiUserJson; onClose: () => void }): JSX.Element {
  const revoke = async () => {
    await post(`${apiUserPath(user.client_id)}/revoke-tokens`);
    announce(`The tokens of ${user.name} are revoked.`);
  };
  return (
    <Confirm
      title={`Revoke the tokens of ${user.name}?`}
      verb="Revoke tokens"
      onConfirm={revoke}
      onClose={onClose}
    >
      <p>
        APIs with @mintmark/verifier refuse all its present tokens within ten seconds. Its secrets keep
        working: if one has leaked, cut it off instead.
      </p>
    </Confirm>
  );
}

function Delete({ user, onClose }: { user: ApiUserJson; onClose: () => void }): JSX.Element {
  const { route } = useLocation();
  const [revoke, setRevoke] = useState(true);
  const force = useForce();
  const remove = () =>
    force.attempt(async (forced) => {
      const query = `revoke_tokens=${revoke}&force=${forced}`;
      await request('DELETE', `${apiUserPath(user.client_id)}?${query}`);
      announce(`${user.name} is deleted.`);
      route(paths.apiUsers, true);
    });
  return (
    <Confirm
      title={`Delete ${user.name}?`}
      verb="Delete permanently"
      typed={{ label: `Type ${user.name} to confirm`, text: user.name }}
      disabled={force.objection !== null && !force.overruled}
      onConfirm={remove}
      onClose={onClose}
    >
      <p>
        Its credentials are deleted with it, and its programs get no more tokens. This cannot be taken back;
        to stop it for a while, disable it.
      </p>
      <CheckField label="Also revoke its tokens" checked={revoke} onInput={setRevoke} />
      <Objection force={force} label="Delete it although it is in use" />
    </Confirm>
  );
}
