import type { JSX } from 'preact';
import { useCallback, useMemo, useState } from 'preact/hooks';
import { apiUrl, withQuery } from '../api/client.ts';
import { plural } from '../format.ts';
import { paths } from '../paths.ts';
import { useMay } from '../state/session.ts';
import { Button, LinkButton } from '../ui/button.tsx';
import { Page } from '../ui/page.tsx';
import { ApiUserList, NEW_API_USER, useApiUserSearch, type ApiUserSearch } from './api-user-list.tsx';
import { ImportApiUsers } from './import-api-users.tsx';
import { MoveApiUsers } from './move-api-users.tsx';

export function ApiUsersPage(): JSX.Element {
  const [importing, setImporting] = useState(false);
  const [choosing, setChoosing] = useState(false);
  const search = useApiUserSearch();
  return (
    <Page
      title="API users"
      lead="The machines that call your APIs."
      actions={
        <Actions search={search} onImport={() => setImporting(true)} onMove={() => setChoosing(!choosing)} />
      }
    >
      {choosing ? (
        <ChooseAndMove search={search} onDone={() => setChoosing(false)} />
      ) : (
        <ApiUserList of={search} />
      )}
      {importing && <ImportApiUsers onDone={search.list.reload} onClose={() => setImporting(false)} />}
    </Page>
  );
}

function Actions(props: { search: ApiUserSearch; onImport: () => void; onMove: () => void }): JSX.Element {
  const { search, onImport, onMove } = props;
  const mayWrite = useMay('operator');
  const isAdmin = useMay('admin');
  return (
    <>
      <LinkButton icon="download" href={apiUrl(withQuery('/api-users/export', search.filter))} download>
        {search.isFiltered ? 'Export these' : 'Export'}
      </LinkButton>
      {mayWrite && (
        <>
          <Button icon="upload" onClick={onImport}>
            Import
          </Button>
          {isAdmin && (
            <Button icon="organisation" onClick={onMove}>
              Move
            </Button>
          )}
          <LinkButton kind="primary" icon="plus" href={paths.newApiUser}>
            {NEW_API_USER}
          </LinkButton>
        </>
      )}
    </>
  );
}

/** The list with checkboxes, to move API users into an organisation or out of one. */
function ChooseAndMove({ search, onDone }: { search: ApiUserSearch; onDone: () => void }): JSX.Element {
  const [ids, setIds] = useState<ReadonlySet<string>>(new Set());
  const [moving, setMoving] = useState(false);
  const toggle = useCallback((clientId: string) => {
    setIds((before) => {
      const after = new Set(before);
      if (!after.delete(clientId)) after.add(clientId);
      return after;
    });
  }, []);
  const chosen = useMemo(() => ({ ids, toggle }), [ids, toggle]);
  const all = search.list.items.map(({ client_id: id }) => id);
  return (
    <>
      <section class="card" aria-label="Move API users">
        <div class="row apart">
          <p>Choose the API users to move, then their organisation.</p>
          <div class="row">
            <Button small onClick={() => setIds(new Set(all))}>
              Choose all shown
            </Button>
            <Button small onClick={onDone}>
              Cancel
            </Button>
            <Button small kind="primary" disabled={ids.size === 0} onClick={() => setMoving(true)}>
              {ids.size === 0 ? 'Move' : `Move ${plural(ids.size, 'API user')}`}
            </Button>
          </div>
        </div>
      </section>
      <ApiUserList of={search} chosen={chosen} />
      {moving && (
        <MoveApiUsers
          clientIds={[...ids]}
          onMoved={() => {
            search.list.reload();
            onDone();
          }}
          onClose={() => setMoving(false)}
        />
      )}
    </>
  );
}
