import type { JSX } from 'preact';
import { apiUrl, withQuery } from '../api/client.ts';
import type {
  AuditEntryJson,
  AuditVerificationJson,
} from '../../../server/src/http/admin/audit-entry.wire.ts';
import { dateTime, plural, whole } from '../format.ts';
import { site } from '../site.ts';
import { usePages } from '../state/pages.ts';
import { isOneOf, isText, useCheckedQuery } from '../state/checked-query.ts';
import { useResource } from '../state/resource.ts';
import { ACTION_OPTIONS, AuditList } from '../ui/audit-list.tsx';
import { Button, LinkButton } from '../ui/button.tsx';
import { SelectField, TextField } from '../ui/field.tsx';
import { DroppedParameters, Filters } from '../ui/filters.tsx';
import { ListEnd } from '../ui/list-end.tsx';
import { Loaded, Skeleton } from '../ui/loaded.tsx';
import { Empty, Notice } from '../ui/notice.tsx';
import { Page } from '../ui/page.tsx';
import { SearchBox } from '../ui/search-box.tsx';

const OUTCOMES = [
  { value: '', text: 'Completed and refused' },
  { value: 'done', text: 'Done' },
  { value: 'refused', text: 'Refused' },
] as const;

const ID_LENGTH_MAX = 300;
const NAMES = ['search', 'actor', 'action', 'subject', 'organisation', 'outcome', 'from', 'to'] as const;
const RULES = {
  search: isText(ID_LENGTH_MAX),
  actor: isText(ID_LENGTH_MAX),
  subject: isText(ID_LENGTH_MAX),
  organisation: isText(ID_LENGTH_MAX),
  action: isOneOf(ACTION_OPTIONS),
  outcome: isOneOf(OUTCOMES),
  from: isLocalTime,
  to: isLocalTime,
};

export function AuditPage(): JSX.Element {
  const { query, setQuery, dropped } = useCheckedQuery(RULES);
  const filter = {
    ...Object.fromEntries(NAMES.map((name) => [name, query[name] ?? ''])),
    from: inUtc(query['from']),
    to: inUtc(query['to']),
  };
  const list = usePages<AuditEntryJson>(withQuery('/audit', filter), [{ noun: '*' }]);
  const isFiltered = NAMES.some((name) => (query[name] ?? '') !== '');
  const clear = () => setQuery(Object.fromEntries(NAMES.map((name) => [name, ''])));
  return (
    <Page
      title="Audit"
      lead={`Every change and every refused change${site.kind === 'console' ? '' : ' in your organisation'}: who, what, when, from where.`}
      actions={
        <LinkButton icon="download" href={apiUrl(withQuery('/audit/export', filter))} download>
          Export
        </LinkButton>
      }
    >
      {site.kind === 'console' && <Chain />}
      <DroppedParameters names={dropped} />
      <AuditFilters query={query} setQuery={setQuery} />
      {isFiltered && (
        <div>
          <Button small onClick={clear}>
            Show all
          </Button>
        </div>
      )}
      {list.stale && (
        <div>
          <Button small onClick={list.reload}>
            New entries: reload
          </Button>
        </div>
      )}
      <section class="card" aria-label="Entries" aria-busy={list.loading}>
        {!list.loaded ? (
          <Skeleton size="tall" />
        ) : list.items.length === 0 ? (
          <Empty icon="audit" title={isFiltered ? 'No matching entries' : 'No entries yet'}>
            <p>
              {isFiltered
                ? 'Widen the filter, or show all.'
                : 'Changes made here, through the command line or the API appear at once.'}
            </p>
          </Empty>
        ) : (
          <AuditList entries={list.items} none="" />
        )}
        <ListEnd of={list} narrow="Narrow the filter, or export the log." />
      </section>
    </Page>
  );
}

type Query = Readonly<Record<string, string>>;

const EXACT = {
  actor: { with: 'By', without: 'By anyone' },
  subject: { with: 'About', without: 'About anything' },
  organisation: { with: 'In the organisation', without: 'In any' },
};

function AuditFilters(props: {
  query: Query;
  setQuery: (changes: Record<string, string>) => void;
}): JSX.Element {
  const { query, setQuery } = props;
  const exact = (['actor', 'subject', 'organisation'] as const).filter((name) => (query[name] ?? '') !== '');
  const active = ['action', 'outcome', 'from', 'to'].some((name) => (query[name] ?? '') !== '');
  return (
    <div class="stack tight" role="search" aria-label="Filter the audit log">
      <div class="filters">
        <SearchBox
          label="Search the audit log"
          placeholder="Part of a name, id, e-mail, address or value"
          value={query['search'] ?? ''}
          maxLength={ID_LENGTH_MAX}
          onSearch={(text) => setQuery({ search: text })}
        />
      </div>
      {exact.map((name) => (
        <div class="row" key={name}>
          <span>
            {EXACT[name].with} <code class="breakable">{query[name]}</code>
          </span>
          <Button small onClick={() => setQuery({ [name]: '' })}>
            {EXACT[name].without}
          </Button>
        </div>
      ))}
      <Filters active={active}>
        <div class="filters even">
          <SelectField
            label="What"
            value={query['action'] ?? ''}
            options={[{ value: '', text: 'Anything' }, ...ACTION_OPTIONS]}
            onInput={(action) => setQuery({ action })}
          />
          <SelectField
            label="Outcome"
            value={query['outcome'] ?? ''}
            options={OUTCOMES}
            onInput={(outcome) => setQuery({ outcome })}
          />
          <TextField
            label="From"
            type="datetime-local"
            value={query['from'] ?? ''}
            onInput={(from) => setQuery({ from })}
          />
          <TextField
            label="To"
            type="datetime-local"
            value={query['to'] ?? ''}
            onInput={(to) => setQuery({ to })}
          />
        </div>
      </Filters>
    </div>
  );
}

function isLocalTime(value: string): boolean {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(value) && inUtc(value) !== '';
}

/** Converts a datetime-local value from the operator's time zone. */
function inUtc(local: string | undefined): string {
  const at = Date.parse(local ?? '');
  return Number.isNaN(at) ? '' : new Date(at).toISOString();
}

/** Shows whether each entry's hash follows from the one before. */
function Chain(): JSX.Element {
  const verification = useResource<AuditVerificationJson>('/audit/verification');
  const { loading, reload } = verification;
  const again = (
    <Button small busy={loading} onClick={reload}>
      Verify again
    </Button>
  );
  return (
    <Loaded from={verification} size="line">
      {({ entries, valid, head, first_bad: firstBad }) =>
        valid ? (
          <Notice kind="good" title={`The chain of ${plural(entries, 'entry', 'entries')} is whole`}>
            <div class="row">
              <span class="small">
                Checked {dateTime(Date.now())}
                {head !== null && (
                  <>
                    ; its head is <code class="breakable">{head.slice(0, 16)}…</code>
                  </>
                )}
              </span>
              {again}
            </div>
          </Notice>
        ) : (
          <Notice
            kind="danger"
            title={`The chain is broken at entry ${firstBad === null ? '?' : whole(firstBad)}`}
            alert
          >
            <p>
              The log was changed outside Mintmark, or the store is damaged. Keep a copy of the store and
              compare the log with an earlier export: <code>npx mintmark audit verify</code> says more.
            </p>
            <div>{again}</div>
          </Notice>
        )
      }
    </Loaded>
  );
}
