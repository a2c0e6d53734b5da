import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { useLocation } from 'preact-iso/router';
import { withQuery } from '../api/client.ts';
import type { ListedApiUserJson } from '../../../server/src/http/admin/api-user.wire.ts';
import { paths } from '../paths.ts';
import { isText, useCheckedQuery } from '../state/checked-query.ts';
import { useDraft } from '../state/draft.ts';
import { usePages } from '../state/pages.ts';
import { useMay } from '../state/session.ts';
import { LinkButton } from '../ui/button.tsx';
import { TextField } from '../ui/field.tsx';
import { ListEnd } from '../ui/list-end.tsx';
import { Skeleton } from '../ui/loaded.tsx';
import { Empty } from '../ui/notice.tsx';
import { Page } from '../ui/page.tsx';
import { Ago } from '../ui/time.tsx';

const BACK = { href: paths.apiUsers, text: 'API users' };
const RULES = { search: isText(200) };

/** For a person without credentials: finds the API user, then its credentials are reset. */
export function ForgottenPage(): JSX.Element {
  const { query, setQuery } = useCheckedQuery(RULES);
  const { search = '' } = query;
  const [text, setText] = useDraft(search, (next) => setQuery({ search: next }));
  const list = usePages<ListedApiUserJson>(withQuery('/api-users', { search, sort: '-last_used_at' }));
  const { route } = useLocation();
  const only = search === '' && list.items.length === 1 && !list.hasMore ? list.items[0] : undefined;
  useEffect(() => {
    if (only !== undefined) route(paths.reset(only.client_id), true);
  }, [only, route]);
  return (
    <Page
      title="Forgot your credentials?"
      lead="Choose the API user. You get a new secret, and see which programs still use the old one."
      back={BACK}
      narrow
    >
      <TextField
        label="Find it"
        type="search"
        hint="By its name or client id. The client id is in the settings of your program."
        value={text}
        onInput={setText}
        autofocus
      />
      <section class="card flush" aria-label="API users">
        {!list.loaded ? (
          <Skeleton size="tall" />
        ) : list.items.length === 0 ? (
          <Empty icon="search" title={search === '' ? 'There are no API users yet' : 'No matching API user'}>
            <p>
              {search === ''
                ? 'Your organisation has none. Create one for each program that calls the APIs.'
                : 'If the client id is right, the API user may be of another organisation, or deleted.'}
            </p>
          </Empty>
        ) : (
          <ApiUsers items={list.items} />
        )}
        <ListEnd of={list} narrow="Search for a name or client id." />
      </section>
    </Page>
  );
}

function ApiUsers({ items }: { items: readonly ListedApiUserJson[] }): JSX.Element {
  const mayWrite = useMay('operator');
  return (
    <table class="table">
      <thead>
        <tr>
          <th scope="col">API user</th>
          <th scope="col">Last token</th>
          <th scope="col">
            <span class="unseen">Reset</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {items.map(({ client_id: id, name, last_used_at: at }) => (
          <tr key={id}>
            <th scope="row">
              <div class="name-cell">
                <strong class="breakable">{name}</strong>
                <code class="soft breakable">{id}</code>
              </div>
            </th>
            <td data-label="Last token" class="fit">
              <Ago at={at} />
            </td>
            <td class="fit whole">
              {mayWrite && (
                <LinkButton small href={paths.reset(id)}>
                  Reset<span class="unseen"> the credentials of {name}</span>
                </LinkButton>
              )}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
