import type { JSX } from 'preact';
import { withQuery } from '../api/client.ts';
import type { ListedOrganisationJson } from '../../../server/src/http/admin/organisation.wire.ts';
import { cut, whole } from '../format.ts';
import { paths } from '../paths.ts';
import { isOneOf, isText, useCheckedQuery } from '../state/checked-query.ts';
import { usePages, type Pages } from '../state/pages.ts';
import { useMay } from '../state/session.ts';
import { EnabledBadge } from '../ui/badge.tsx';
import { Button, LinkButton } from '../ui/button.tsx';
import { Segments } from '../ui/field.tsx';
import { DroppedParameters } from '../ui/filters.tsx';
import { ListEnd } from '../ui/list-end.tsx';
import { Skeleton } from '../ui/loaded.tsx';
import { Empty } from '../ui/notice.tsx';
import { Page } from '../ui/page.tsx';
import { SearchBox } from '../ui/search-box.tsx';

const STATES = [
  { value: '', text: 'All' },
  { value: 'enabled', text: 'Enabled' },
  { value: 'disabled', text: 'Disabled' },
] as const;
type State = (typeof STATES)[number]['value'];

const RULES = { search: isText(200), state: isOneOf(STATES) };

export function OrganisationsPage(): JSX.Element {
  const isAdmin = useMay('admin');
  const { query, setQuery, dropped } = useCheckedQuery(RULES);
  const { search = '', state = '' } = query;
  const list = usePages<ListedOrganisationJson>(withQuery('/organisations', { search, state }), [
    { noun: 'organisation' },
  ]);
  const isFiltered = search !== '' || state !== '';
  return (
    <Page
      title="Organisations"
      lead="Advertisers, agencies and teams, whose members manage their own API users in the portal."
      actions={
        <>
          <LinkButton icon="edit" href={paths.audiences}>
            Audiences
          </LinkButton>
          {isAdmin && (
            <LinkButton kind="primary" icon="plus" href={paths.newOrganisation}>
              New organisation
            </LinkButton>
          )}
        </>
      }
    >
      <DroppedParameters names={dropped} />
      <div class="filters">
        <SearchBox
          label="Search organisations"
          placeholder="Name, id, external id or contact"
          value={search}
          onSearch={(text) => setQuery({ search: text })}
        />
        <Segments<State>
          label="State"
          value={state as State}
          options={STATES}
          onInput={(chosen) => setQuery({ state: chosen })}
        />
      </div>
      {list.loaded && list.items.length === 0 && !list.hasMore ? (
        <section class="card">
          <NoOrganisations showAll={isFiltered ? () => setQuery({ search: '', state: '' }) : null} />
        </section>
      ) : (
        <section class="card flush" aria-label="Organisations">
          {list.loaded ? <Table list={list} /> : list.error === undefined && <Skeleton size="tall" />}
          <ListEnd of={list} narrow="Search for a name or id." />
        </section>
      )}
    </Page>
  );
}

/** `showAll`: takes the filter back; null: without a filter. */
function NoOrganisations({ showAll }: { showAll: (() => void) | null }): JSX.Element {
  const isAdmin = useMay('admin');
  if (showAll !== null)
    return (
      <Empty icon="search" title="No matching organisations">
        <Button onClick={showAll}>Show all</Button>
      </Empty>
    );
  return (
    <Empty icon="organisation" title="There are no organisations yet">
      <p>
        Create one for each advertiser, agency or team. You say what its API users may have; its members
        create them and reset their credentials.
      </p>
      {isAdmin && (
        <LinkButton kind="primary" icon="plus" href={paths.newOrganisation}>
          New organisation
        </LinkButton>
      )}
    </Empty>
  );
}

function Table({ list }: { list: Pages<ListedOrganisationJson> }): JSX.Element {
  return (
    <table class="table hoverable" aria-busy={list.loading}>
      <thead>
        <tr>
          <th scope="col">Name</th>
          <th scope="col">State</th>
          <th scope="col" class="end">
            API users
          </th>
          <th scope="col" class="end">
            Members
          </th>
        </tr>
      </thead>
      <tbody>
        {list.items.map(({ id, name, enabled, api_users: users, members }) => (
          <tr key={id}>
            <th scope="row">
              <div class="name-cell">
                <a href={paths.organisation(id)} title={name}>
                  {cut(name)}
                </a>
                <code class="soft breakable">{id}</code>
              </div>
            </th>
            <td class="fit">
              <EnabledBadge enabled={enabled} />
            </td>
            <td data-label="API users" class="fit end number">
              {whole(users)}
            </td>
            <td data-label="Members" class="fit end number">
              {whole(members)}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
