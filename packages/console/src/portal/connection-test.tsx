import type { JSX } from 'preact';
import { useRef } from 'preact/hooks';
import type { CredentialJson } from '../../../server/src/http/admin/credential.wire.ts';
import { withQuery } from '../api/client.ts';
import type { RefusedRequestJson } from '../../../server/src/http/admin/refused-request.wire.ts';
import { apiUserPath } from '../api/paths.ts';
import { capital, clockSeconds, sentence } from '../format.ts';
import { paths } from '../paths.ts';
import { useResource } from '../state/resource.ts';
import { Icon } from '../ui/icon.tsx';
import { Notice } from '../ui/notice.tsx';
import { Card } from '../ui/page.tsx';
import { adviceFor, reasonText } from '../ui/reasons.ts';

const AGAIN_MS = 3000;

/** Waits for a call of the program, and says whether it got a token or why not. */
export function ConnectionTest({ clientId }: { clientId: string }): JSX.Element {
  const credentials = useResource<{ items: CredentialJson[] }>(
    `${apiUserPath(clientId)}/credentials`,
    [],
    AGAIN_MS,
  );
  const refusals = useResource<{ items: RefusedRequestJson[] }>(
    withQuery('/refused-requests', { client_id: clientId, limit: 1 }),
    [],
    AGAIN_MS,
  );
  const used = useNew(latestUse(credentials.data?.items), ({ last_used_at: at }) => at ?? '');
  const refused = useNew(refusals.data && (refusals.data.items[0] ?? null), ({ trace_id: id }) => id);
  const usedAt = used?.last_used_at ?? '';
  const isRefused = refused !== null && refused.at > usedAt;
  return (
    <Card title="Test the connection">
      <div aria-live="polite">
        {isRefused ? (
          <Refused request={refused} />
        ) : used !== null ? (
          <p class="row received">
            <Icon name="check" />
            <strong>It works.</strong>
            <span>
              A token was issued at {clockSeconds(Date.parse(usedAt))}
              {used.last_used_address !== null && (
                <>
                  {' '}
                  to <code>{used.last_used_address}</code>
                </>
              )}
              , for “<span class="breakable">{used.name}</span>”.
            </span>
          </p>
        ) : (
          <p class="row beside">
            <span class="spinner" aria-hidden="true" />
            Start the program now: its call appears here after a few seconds.
          </p>
        )}
      </div>
    </Card>
  );
}

function Refused({ request }: { request: RefusedRequestJson }): JSX.Element {
  const { at, reason, detail, address, trace_id: traceId } = request;
  const advice = adviceFor(reason);
  return (
    <Notice kind="danger" title={`Refused at ${clockSeconds(Date.parse(at))}: ${reasonText(reason)}`}>
      {detail !== null && <p class="breakable">{sentence(capital(detail))}</p>}
      {advice !== null && <p>{advice}</p>}
      <p>
        {address !== null && (
          <>
            The caller was at <code>{address}</code>.{' '}
          </>
        )}
        <a href={withQuery(paths.refusedRequests, { trace_id: traceId })}>All about this call</a>
      </p>
    </Notice>
  );
}

function latestUse(items: readonly CredentialJson[] | undefined): CredentialJson | null | undefined {
  const used = items?.filter(({ last_used_at: at }) => at !== null);
  return (
    used?.sort((a, b) => (a.last_used_at ?? '').localeCompare(b.last_used_at ?? '')).at(-1) ?? (items && null)
  );
}

/** `value` if it differs from the first one that was loaded: it came after the page opened. */
function useNew<T>(value: T | null | undefined, keyOf: (value: T) => string): T | null {
  const first = useRef<string | undefined>(undefined);
  if (value === undefined) return null;
  const key = value === null ? '' : keyOf(value);
  first.current ??= key;
  return key === first.current ? null : value;
}
