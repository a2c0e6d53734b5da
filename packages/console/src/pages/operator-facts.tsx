import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { ApiUserJson } from '../../../server/src/http/admin/api-user.wire.ts';
import type { OrganisationJson } from '../../../server/src/http/admin/organisation.wire.ts';
import { plural } from '../format.ts';
import { paths } from '../paths.ts';
import { useResource } from '../state/resource.ts';
import { useMay } from '../state/session.ts';
import { Button } from '../ui/button.tsx';
import { ClaimsText } from '../ui/claims.tsx';
import { MoveApiUsers } from './move-api-users.tsx';

// What only operators see of an API user.

/** The organisation of an API user; null: the platform. */
export function OfOrganisation({ id }: { id: string | null }): JSX.Element {
  const organisation = useResource<OrganisationJson>(
    id === null ? null : `/organisations/${encodeURIComponent(id)}`,
    id === null ? [] : [{ noun: 'organisation', id }],
  );
  return (
    <>
      <dt>Organisation</dt>
      <dd>
        {id === null ? (
          <span class="soft">none: of the platform</span>
        ) : (
          <a class="breakable" href={paths.organisation(id)}>
            {organisation.data?.name ?? id}
          </a>
        )}
      </dd>
    </>
  );
}

export function TokenFacts({ user }: { user: ApiUserJson }): JSX.Element {
  const mayWrite = useMay('operator');
  return (
    <>
      <dt>Claims</dt>
      <dd>
        <ClaimsText claims={user.claims} none="none of its own" />
        {mayWrite && (
          <a class="small block" href={paths.apiUserClaims(user.client_id)}>
            Claims and life of its tokens
          </a>
        )}
      </dd>
      <dt>Life of its tokens</dt>
      <dd>
        {user.token_life_seconds === null ? (
          <span class="soft">that of its organisation, audience or the server</span>
        ) : (
          plural(user.token_life_seconds, 'second')
        )}
      </dd>
    </>
  );
}

/** Moves one API user, from its page. */
export function MoveButton({
  user,
  onMoved,
}: {
  user: ApiUserJson;
  onMoved: () => void;
}): JSX.Element | null {
  const isAdmin = useMay('admin');
  const [moving, setMoving] = useState(false);
  if (!isAdmin) return null;
  return (
    <>
      <Button small icon="organisation" onClick={() => setMoving(true)}>
        Move
      </Button>
      {moving && (
        <MoveApiUsers clientIds={[user.client_id]} onMoved={onMoved} onClose={() => setMoving(false)} />
      )}
    </>
  );
}
