import type { JSX } from 'preact';
import { withQuery } from '../api/client.ts';
import type { RefusedRequestJson } from '../../../server/src/http/admin/refused-request.wire.ts';
import { capital, sentence } from '../format.ts';
import { paths } from '../paths.ts';
import { isText, useCheckedQuery } from '../state/checked-query.ts';
import { useDraft } from '../state/draft.ts';
import { usePages } from '../state/pages.ts';
import { Button } from '../ui/button.tsx';
import { Id } from '../ui/copy.tsx';
import { TextField } from '../ui/field.tsx';
import { DroppedParameters } from '../ui/filters.tsx';
import { ListEnd } from '../ui/list-end.tsx';
import { Skeleton } from '../ui/loaded.tsx';
import { Empty } from '../ui/notice.tsx';
import { Page } from '../ui/page.tsx';
import { adviceFor, reasonText } from '../ui/reasons.ts';
import { Ago } from '../ui/time.tsx';

const RULES = { trace_id: isText(64), client_id: isText(300) };
const TRACE_ID = /^[0-9a-f]{32}$/i;

/** "Why was my call refused?": the refused calls of the organisation's API users. */
export function RefusedRequestsPage(): JSX.Element {
  const { query, setQuery, dropped } = useCheckedQuery(RULES);
  const { trace_id: traceId = '', client_id: clientId = '' } = query;
  const [text, setText] = useDraft(traceId, (next) => setQuery({ trace_id: next.trim() }));
  const isWhole = TRACE_ID.test(traceId);
  const list = usePages<RefusedRequestJson>(
    withQuery('/refused-requests', { trace_id: isWhole ? traceId : '', client_id: clientId }),
    [{ noun: '*' }],
  );
  const isFiltered = isWhole || clientId !== '';
  return (
    <Page
      title="Why was my call refused?"
      lead="The refused calls of the last 24 hours, at most 100 of each API user. A call appears here after a few seconds."
    >
      <DroppedParameters names={dropped} />
      <TextField
        label="Trace id"
        type="search"
        hint="The answer of a refused call has it in the header x-request-id."
        placeholder="4bf92f3577b34da6a3ce929d0e0e4736"
        value={text}
        onInput={setText}
        error={traceId === '' || isWhole ? null : 'A trace id has 32 digits and letters from a to f.'}
        mono
      />
      {clientId !== '' && (
        <div class="row">
          <span>
            Of <a href={paths.apiUser(clientId)}>{clientId}</a>
          </span>
          <Button small onClick={() => setQuery({ client_id: '' })}>
            Of every API user
          </Button>
        </div>
      )}
      <section class="card" aria-label="Refused calls" aria-busy={list.loading}>
        {!list.loaded ? (
          list.error === undefined && <Skeleton size="tall" />
        ) : list.items.length === 0 ? (
          <None isFiltered={isFiltered} />
        ) : (
          <ul class="plain-list">
            {list.items.map((one) => (
              <Refused key={`${one.trace_id} ${one.at}`} request={one} />
            ))}
          </ul>
        )}
        <ListEnd of={list} narrow="Search for a trace id." />
      </section>
    </Page>
  );
}

function None({ isFiltered }: { isFiltered: boolean }): JSX.Element {
  return isFiltered ? (
    <Empty icon="search" title="No such refused call">
      <p>
        Check the trace id. The call may be older than 24 hours, accepted, or of an API user of another
        organisation. A wrong client id belongs to nobody, so such calls are not listed.
      </p>
    </Empty>
  ) : (
    <Empty icon="check" title="No call was refused">
      <p>
        No refused call of your API users in the last 24 hours. A call with a wrong client id belongs to
        nobody, so it is not listed.
      </p>
    </Empty>
  );
}

function Refused({ request }: { request: RefusedRequestJson }): JSX.Element {
  const {
    at,
    client_id: clientId,
    api_user_name: name,
    address,
    reason,
    detail,
    trace_id: traceId,
  } = request;
  const advice = adviceFor(reason);
  return (
    <li class="stack tight">
      <div class="row apart">
        <strong>{capital(reasonText(reason))}</strong>
        <Ago at={at} seconds />
      </div>
      {detail !== null && <p class="breakable">{sentence(capital(detail))}</p>}
      {advice !== null && <p class="hint">{advice}</p>}
      <div class="row small">
        <a class="breakable" href={paths.apiUser(clientId)}>
          {name}
        </a>
        {address !== null && (
          <span class="soft">
            from <code>{address}</code>
          </span>
        )}
        <span class="push">
          <Id text={traceId} what="trace id" length={16} />
        </span>
      </div>
    </li>
  );
}
