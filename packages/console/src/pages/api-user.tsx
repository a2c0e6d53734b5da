import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { useRoute } from 'preact-iso/router';
import { withQuery } from '../api/client.ts';
import { apiUserPath } from '../api/paths.ts';
import type { ApiUserJson } from '../../../server/src/http/admin/api-user.wire.ts';
import type { AuditEntryJson } from '../../../server/src/http/admin/audit-entry.wire.ts';
import type { CredentialJson } from '../../../server/src/http/admin/credential.wire.ts';
import { whole } from '../format.ts';
import { paths } from '../paths.ts';
import { site } from '../site.ts';
import { usePages } from '../state/pages.ts';
import { useResource } from '../state/resource.ts';
import { useMay } from '../state/session.ts';
import { useLiveUse, type LiveUse } from '../state/uses.ts';
import { AuditList } from '../ui/audit-list.tsx';
import { EnabledBadge } from '../ui/badge.tsx';
import { Button, LinkButton } from '../ui/button.tsx';
import { Id } from '../ui/copy.tsx';
import { DisabledNotice } from '../ui/disabled-notice.tsx';
import { ListEnd } from '../ui/list-end.tsx';
import { Chips } from '../ui/list-field.tsx';
import { Loaded, Skeleton } from '../ui/loaded.tsx';
import { Card, Page } from '../ui/page.tsx';
import { Ago, At } from '../ui/time.tsx';
import { Credentials } from './credentials.tsx';
import { CutOff } from './cut-off.tsx';
import { DangerZone } from './danger-zone.tsx';
import { MoveButton, OfOrganisation, TokenFacts } from './operator-facts.tsx';
import { isNoSuchApiUser, NoSuchApiUser } from './no-such-api-user.tsx';
import { SecretLinks } from './secret-links.tsx';
import { UsageCard } from './usage-card.tsx';

const BACK = { href: paths.apiUsers, text: 'API users' };

export function ApiUserPage(): JSX.Element {
  const { clientId = '' } = useRoute().params;
  return <OneApiUser key={clientId} clientId={clientId} />;
}

/** Uses are stored every few seconds, without change events. */
const AGAIN_MS = 10_000;

function OneApiUser({ clientId }: { clientId: string }): JSX.Element {
  const path = apiUserPath(clientId);
  const follow = [{ noun: 'api_user', id: clientId }];
  const user = useResource<ApiUserJson>(path, follow);
  const credentials = useResource<{ items: CredentialJson[] }>(`${path}/credentials`, follow, AGAIN_MS);
  const live = useLiveUse(clientId);
  if (isNoSuchApiUser(user)) return <NoSuchApiUser clientId={clientId} />;
  return (
    <Page
      title={user.data?.name ?? 'API user'}
      back={BACK}
      lead={
        <Lead
          clientId={clientId}
          user={user.data}
          lastUsedAt={lastUse(credentials.data?.items ?? [], live)}
        />
      }
      actions={user.data !== undefined && <HeadActions user={user.data} />}
    >
      {user.data !== undefined && !user.data.enabled && (
        <DisabledNotice
          title="It is disabled: it gets no tokens"
          path={apiUserPath(user.data.client_id)}
          leastRole="operator"
          enabled={`${user.data.name} gets tokens again.`}
          onDone={user.reload}
        />
      )}
      <UsageCard clientId={clientId} live={live} />
      <p class="hint">
        Is a call refused? <a href={withQuery(paths.refusedRequests, { client_id: clientId })}>See why</a>.
      </p>
      <Credentials clientId={clientId} credentials={credentials} live={live} />
      {site.kind === 'console' && <SecretLinks clientId={clientId} />}
      <Card
        title="Settings"
        actions={user.data !== undefined && <SettingsActions user={user.data} onChanged={user.reload} />}
      >
        <Loaded from={user} size="tall">
          {(data) => <Facts user={data} />}
        </Loaded>
      </Card>
      <History clientId={clientId} />
      {user.data !== undefined && <DangerZone user={user.data} onChanged={user.reload} />}
    </Page>
  );
}

function Lead(props: {
  clientId: string;
  user: ApiUserJson | undefined;
  lastUsedAt: string | null;
}): JSX.Element {
  const { clientId, user, lastUsedAt } = props;
  return (
    <div class="row">
      <Id text={clientId} what="client id" />
      {user !== undefined && <EnabledBadge enabled={user.enabled} />}
      <span>
        Last token <Ago at={lastUsedAt} seconds />
      </span>
    </div>
  );
}

/** The latest use, stored or live. */
function lastUse(credentials: readonly CredentialJson[], live: LiveUse): string | null {
  const uses = credentials.map(({ last_used_at: at }) => at).filter((at) => at !== null);
  const seen = [...live.credentials.values()].map(({ at }) => at);
  return [...uses, ...seen].sort().at(-1) ?? null;
}

function HeadActions({ user }: { user: ApiUserJson }): JSX.Element | null {
  const mayWrite = useMay('operator');
  const [cutting, setCutting] = useState(false);
  if (!mayWrite) return null;
  return (
    <>
      {site.kind === 'organisation' && (
        <LinkButton kind="primary" icon="next" href={paths.quickstart(user.client_id)}>
          Quickstart
        </LinkButton>
      )}
      <LinkButton icon="rotate" href={paths.reset(user.client_id)}>
        Reset credentials
      </LinkButton>
      <Button kind="danger" icon="bolt" onClick={() => setCutting(true)}>
        Leaked: cut it off now
      </Button>
      {cutting && <CutOff user={user} onClose={() => setCutting(false)} />}
    </>
  );
}

function SettingsActions(props: { user: ApiUserJson; onChanged: () => void }): JSX.Element | null {
  const { user, onChanged } = props;
  const mayWrite = useMay('operator');
  if (!mayWrite) return null;
  return (
    <div class="row">
      {site.kind === 'console' && <MoveButton user={user} onMoved={onChanged} />}
      <LinkButton small icon="edit" href={paths.editApiUser(user.client_id)}>
        Edit
      </LinkButton>
    </div>
  );
}

function Facts({ user }: { user: ApiUserJson }): JSX.Element {
  return (
    <dl class="facts">
      <dt>Contact</dt>
      <dd>{user.contact ?? <span class="soft">nobody is named</span>}</dd>
      {site.kind === 'console' && <OfOrganisation id={user.organisation_id} />}
      {(site.kind === 'console' || user.username !== null) && (
        <>
          <dt>Username</dt>
          <dd>{user.username ?? <span class="soft">none</span>}</dd>
        </>
      )}
      <dt>Scopes</dt>
      <dd>
        <Chips items={user.scopes} none="none: its tokens carry no scopes" />
      </dd>
      <dt>Audiences</dt>
      <dd>
        <Chips items={user.audiences} none="the server’s default" />
      </dd>
      <dt>Limit</dt>
      <dd>
        {user.limit_per_minute === null ? (
          <span class="soft">the server’s default</span>
        ) : (
          `${whole(user.limit_per_minute)} calls a minute`
        )}
      </dd>
      <dt>Allowed networks</dt>
      <dd>
        <Chips items={user.allowed_networks} none="any" />
      </dd>
      {site.kind === 'console' && <TokenFacts user={user} />}
      <dt>Created</dt>
      <dd>
        <At at={user.created_at} />
      </dd>
      <dt>Changed</dt>
      <dd>
        <At at={user.updated_at} />
      </dd>
    </dl>
  );
}

function History({ clientId }: { clientId: string }): JSX.Element {
  const list = usePages<AuditEntryJson>(`${apiUserPath(clientId)}/history`, [
    { noun: 'api_user', id: clientId },
  ]);
  return (
    <Card title="History">
      {list.loaded ? <AuditList entries={list.items} none="No changes yet." /> : <Skeleton size="tall" />}
      <ListEnd of={list} narrow="The audit log has older entries." />
    </Card>
  );
}
