import type { JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { get, withQuery } from '../api/client.ts';
import type { ListedApiUserJson } from '../../../server/src/http/admin/api-user.wire.ts';
import { cut, DAY_MS, whole } from '../format.ts';
import { paths } from '../paths.ts';
import { site } from '../site.ts';
import { isOneOf, isText, useCheckedQuery } from '../state/checked-query.ts';
import { usePages, type Pages } from '../state/pages.ts';
import { useMay } from '../state/session.ts';
import { Badge, EnabledBadge } from '../ui/badge.tsx';
import { Button, LinkButton } from '../ui/button.tsx';
import { CheckField, Segments, SelectField } from '../ui/field.tsx';
import { DroppedParameters, Filters } from '../ui/filters.tsx';
import { ListEnd } from '../ui/list-end.tsx';
import { Skeleton } from '../ui/loaded.tsx';
import { Empty, Notice } from '../ui/notice.tsx';
import { SearchBox } from '../ui/search-box.tsx';
import { Spark } from '../ui/spark.tsx';
import { Ago } from '../ui/time.tsx';

const SORTS = [
  { value: '-created_at', text: 'Newest first' },
  { value: 'created_at', text: 'Oldest first' },
  { value: 'name', text: 'Name, A to Z' },
  { value: '-name', text: 'Name, Z to A' },
  { value: '-last_used_at', text: 'Used last' },
  { value: 'last_used_at', text: 'Longest unused' },
] as const;

const STATES = [
  { value: '', text: 'All' },
  { value: 'enabled', text: 'Enabled' },
  { value: 'disabled', text: 'Disabled' },
] as const;

const RULES = {
  search: isText(200),
  state: isOneOf(STATES),
  scope: isText(100),
  organisation_id: isText(100),
  sort: isOneOf(SORTS),
};

type State = (typeof STATES)[number]['value'];

/** The search of API users that the address names, and its results. */
export interface ApiUserSearch {
  query: Readonly<Record<string, string>>;
  setQuery: (changes: Record<string, string>) => void;
  dropped: readonly string[];
  /** The filters, as parameters of an export. */
  filter: Readonly<Record<string, string>>;
  isFiltered: boolean;
  list: Pages<ListedApiUserJson>;
}

export function useApiUserSearch(): ApiUserSearch {
  const { query, setQuery, dropped } = useCheckedQuery(RULES);
  const { search = '', state = '', scope = '', organisation_id = '', sort = '-created_at' } = query;
  const filter = { search, state, scope, organisation_id };
  const list = usePages<ListedApiUserJson>(withQuery('/api-users', { ...filter, sort }), [
    { noun: 'api_user' },
  ]);
  const isFiltered = Object.values(filter).some((value) => value !== '');
  return { query, setQuery, dropped, filter, isFiltered, list };
}

/** The rows that are chosen, by client id. */
export interface Chosen {
  ids: ReadonlySet<string>;
  toggle: (clientId: string) => void;
}

const SEARCHED =
  site.kind === 'console' ? 'Name, client id, username or contact' : 'Name, client id or contact';

/** The filters and the table. `chosen`: the rows have a checkbox. */
export function ApiUserList(props: { of: ApiUserSearch; chosen?: Chosen | undefined }): JSX.Element {
  const { chosen } = props;
  const { query, setQuery, dropped, isFiltered, list } = props.of;
  const { search = '', state = '', scope = '', organisation_id: of = '', sort = '-created_at' } = query;
  return (
    <>
      <DroppedParameters names={dropped} />
      <div class="filters">
        <SearchBox
          label="Search API users"
          placeholder={SEARCHED}
          value={search}
          onSearch={(text) => setQuery({ search: text })}
        />
        <Filters active={state !== '' || query['sort'] !== undefined}>
          <Segments<State>
            label="State"
            value={state as State}
            options={STATES}
            onInput={(next) => setQuery({ state: next })}
          />
          <SelectField
            label="Order"
            unseenLabel
            value={sort}
            options={SORTS}
            onInput={(next) => setQuery({ sort: next })}
          />
        </Filters>
      </div>
      {scope !== '' && (
        <div class="row">
          <span>
            With the scope <code>{scope}</code>
          </span>
          <Button small onClick={() => setQuery({ scope: '' })}>
            Any scope
          </Button>
        </div>
      )}
      {of !== '' && <OfOrganisation id={of} onClear={() => setQuery({ organisation_id: '' })} />}
      {list.stale && (
        <Notice title="API users changed since this list was loaded">
          <div>
            <Button small onClick={list.reload}>
              Read it again
            </Button>
          </div>
        </Notice>
      )}
      <p class="unseen" aria-live="polite">
        {list.loaded &&
          !list.loading &&
          `${whole(list.items.length)}${list.hasMore ? ' or more' : ''} API users`}
      </p>
      {list.loaded && list.items.length === 0 && !list.hasMore ? (
        <NoneFound
          isFiltered={isFiltered}
          onClear={() => setQuery({ search: '', state: '', scope: '', organisation_id: '' })}
        />
      ) : (
        <section class="card flush" aria-label="API users">
          {list.loaded ? <Table list={list} chosen={chosen} /> : <Skeleton size="tall" />}
          <ListEnd of={list} narrow="To find others, search for a name, client id or contact." />
        </section>
      )}
    </>
  );
}

function OfOrganisation({ id, onClear }: { id: string; onClear: () => void }): JSX.Element {
  return (
    <div class="row">
      {id === 'none' ? (
        <span>Those of the platform itself</span>
      ) : (
        <span>
          Of the organisation <a href={paths.organisation(id)}>{id}</a>
        </span>
      )}
      <Button small onClick={onClear}>
        Of any
      </Button>
    </div>
  );
}

/** The members' word is the plain one. */
export const NEW_API_USER = site.kind === 'console' ? 'New API user' : 'Create API user';

function NoneFound({ isFiltered, onClear }: { isFiltered: boolean; onClear: () => void }): JSX.Element {
  const mayWrite = useMay('operator');
  return (
    <section class="card">
      {isFiltered ? (
        <Empty icon="search" title="No matching API users">
          <p>The search matches parts of names, client ids, usernames and contacts. Case does not matter.</p>
          <Button onClick={onClear}>Show all</Button>
        </Empty>
      ) : (
        <Empty icon="users" title="There are no API users yet">
          <p>
            Create one for each program that calls {site.kind === 'console' ? 'your' : 'the'} APIs. It has a
            client id, a secret or key, scopes and a limit.
          </p>
          {mayWrite && (
            <LinkButton kind="primary" icon="plus" href={paths.newApiUser}>
              {NEW_API_USER}
            </LinkButton>
          )}
        </Empty>
      )}
    </section>
  );
}

function Table(props: { list: Pages<ListedApiUserJson>; chosen: Chosen | undefined }): JSX.Element {
  const { list, chosen } = props;
  const sparks = useSparks(list.items);
  return (
    <table class="table hoverable api-users" aria-busy={list.loading}>
      <thead>
        <tr>
          <th scope="col">Name</th>
          <th scope="col">State</th>
          <th scope="col">Last token</th>
          <th scope="col">24 hours</th>
          <th scope="col" class="end spare">
            Limit
          </th>
          <th scope="col">Credentials</th>
        </tr>
      </thead>
      <tbody>
        {list.items.map((user) => (
          <Row
            key={user.client_id}
            user={user}
            counts={sparks.get(user.client_id)}
            onToggle={chosen?.toggle}
            isChosen={chosen?.ids.has(user.client_id) === true}
          />
        ))}
      </tbody>
    </table>
  );
}

const EXPIRES_SOON_MS = 30 * DAY_MS;

interface RowProps {
  user: ListedApiUserJson;
  counts: readonly number[] | undefined;
  /** Undefined: the row has no checkbox. */
  onToggle: ((clientId: string) => void) | undefined;
  isChosen: boolean;
}

/** Memoized, because there may be a thousand rows. */
function Row({ user, counts, onToggle, isChosen }: RowProps): JSX.Element {
  return useMemo(
    () => <RowOf user={user} counts={counts} onToggle={onToggle} isChosen={isChosen} />,
    [user, counts, onToggle, isChosen],
  );
}

function RowOf({ user, counts, onToggle, isChosen }: RowProps): JSX.Element {
  const { next_expiry_at: expiry, live_credentials: live } = user;
  const expiresSoon = expiry !== null && Date.parse(expiry) - Date.now() < EXPIRES_SOON_MS;
  return (
    <tr>
      <th scope="row">
        <div class="name-cell">
          {onToggle === undefined ? (
            <a href={paths.apiUser(user.client_id)} title={user.name}>
              {cut(user.name)}
            </a>
          ) : (
            <CheckField label={cut(user.name)} checked={isChosen} onInput={() => onToggle(user.client_id)} />
          )}
          <code class="soft breakable">{user.client_id}</code>
          {site.kind === 'console' && user.organisation_id !== null && (
            <a class="small" href={paths.organisation(user.organisation_id)}>
              {user.organisation_name ?? user.organisation_id}
            </a>
          )}
        </div>
      </th>
      <td class="fit">
        <EnabledBadge enabled={user.enabled} />
      </td>
      <td data-label="Last token" class="fit">
        <Ago at={user.last_used_at} />
      </td>
      <td data-label="24 hours" class="fit">
        <Spark counts={counts} />
      </td>
      <td data-label="Limit" class="fit end number spare">
        {user.limit_per_minute === null ? (
          <span class="soft">default</span>
        ) : (
          <>{whole(user.limit_per_minute)}/min</>
        )}
      </td>
      <td data-label="Credentials" class="fit">
        {live === 0 ? <Badge kind="warn">none live</Badge> : <span class="number">{live} live</span>}
        {expiresSoon && (
          <>
            {' '}
            <Badge kind="warn">
              <Ago at={expiry} />
            </Badge>
          </>
        )}
      </td>
    </tr>
  );
}

/** Maximum number of API users per request. Each user's counts are loaded once. */
const SPARKS_AT_A_TIME = 50;

type Sparks = ReadonlyMap<string, readonly number[]>;

function useSparks(users: readonly ListedApiUserJson[]): Sparks {
  const [sparks, setSparks] = useState<Sparks>(new Map());
  const requests = useRef(new Set<string>());
  useEffect(() => {
    const missing = users.map(({ client_id }) => client_id).filter((id) => !requests.current.has(id));
    for (let i = 0; i < missing.length; i += SPARKS_AT_A_TIME) {
      const ids = missing.slice(i, i + SPARKS_AT_A_TIME);
      for (const id of ids) requests.current.add(id);
      void recent(ids).then(
        (batch) => setSparks((before) => new Map([...before, ...batch])),
        () => undefined, // a decoration: the list works without it
      );
    }
  }, [users]);
  return sparks;
}

async function recent(ids: readonly string[]): Promise<Map<string, readonly number[]>> {
  const { items } = await get<{ items: { client_id: string; tokens: number[] }[] }>(
    withQuery('/usage/recent', { ids: ids.join(',') }),
  );
  return new Map(items.map(({ client_id, tokens }) => [client_id, tokens]));
}
