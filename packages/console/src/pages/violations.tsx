import type { JSX } from 'preact';
import type { ViolationJson } from '../../../server/src/http/admin/organisation.wire.ts';
import { sentence } from '../format.ts';
import { paths } from '../paths.ts';
import { usePages } from '../state/pages.ts';
import { ListEnd } from '../ui/list-end.tsx';
import { Notice } from '../ui/notice.tsx';

/** What the API users of an organisation have although its policy forbids it. Nothing without any. */
export function Violations({ id }: { id: string }): JSX.Element | null {
  const list = usePages<ViolationJson>(`/organisations/${encodeURIComponent(id)}/violations`, [
    { noun: 'api_user' },
    { noun: 'organisation', id },
  ]);
  if (list.items.length === 0 && list.error === undefined) return null;
  return (
    <Notice kind="warn" title="In violation of the policy">
      {list.items.length > 0 && (
        <p>It keeps working. Change it, or let the policy end it when you save the policy.</p>
      )}
      <ViolationList items={list.items} />
      <ListEnd of={list} narrow="Bring these in order first." />
    </Notice>
  );
}

export function ViolationList({ items }: { items: readonly ViolationJson[] }): JSX.Element {
  return (
    <ul class="consequences">
      {items.map(
        ({ client_id: clientId, api_user_name: name, credential_id: credentialId, member, detail }) => (
          <li key={`${clientId} ${credentialId} ${member}`} class="breakable">
            {clientId !== null && (
              <>
                <a href={paths.apiUser(clientId)}>{name ?? clientId}</a>
                {credentialId !== null && (
                  <>
                    , <code>{credentialId}</code>
                  </>
                )}
                :{' '}
              </>
            )}
            {sentence(detail)}
          </li>
        ),
      )}
    </ul>
  );
}
