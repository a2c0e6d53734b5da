import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { useRoute } from 'preact-iso/router';
import type { ApiUserJson } from '../../../server/src/http/admin/api-user.wire.ts';
import type { CredentialJson } from '../../../server/src/http/admin/credential.wire.ts';
import { apiUserPath } from '../api/paths.ts';
import { whole } from '../format.ts';
import { paths } from '../paths.ts';
import { useResource, type Resource } from '../state/resource.ts';
import { useMay } from '../state/session.ts';
import { useLiveUse, type LiveUse } from '../state/uses.ts';
import { CredentialBadge } from '../ui/badge.tsx';
import { Button, LinkButton } from '../ui/button.tsx';
import { Id } from '../ui/copy.tsx';
import { capital } from '../format.ts';
import { kindText } from '../ui/credential-kind.ts';
import { Loaded } from '../ui/loaded.tsx';
import { Empty, Notice } from '../ui/notice.tsx';
import { Card, Page } from '../ui/page.tsx';
import { reasonText } from '../ui/reasons.ts';
import { Ago, At } from '../ui/time.tsx';
import { CredentialSnippets } from './credential-snippets.tsx';
import { LastUse } from './credentials.tsx';
import { EditCredential } from './edit-credential.tsx';
import { KeySource } from './key-source.tsx';
import { isNoSuchApiUser, NoSuchApiUser } from './no-such-api-user.tsx';
import { PublicKey } from './public-key.tsx';
import { Retire } from './retire.tsx';
import { TokenCheck } from './token-check.tsx';
import { TrustRule } from './trust-rule.tsx';

/** Uses and refusals are stored every few seconds, without change events. */
const AGAIN_MS = 5000;

export function CredentialPage(): JSX.Element {
  const { clientId = '', id = '' } = useRoute().params;
  return <OneCredential key={`${clientId} ${id}`} clientId={clientId} id={id} />;
}

/** One key or trust rule: what it lets in, its use, and how a program proves itself by it. */
function OneCredential({ clientId, id }: { clientId: string; id: string }): JSX.Element {
  const follow = [{ noun: 'api_user', id: clientId }];
  const user = useResource<ApiUserJson>(apiUserPath(clientId), follow);
  const credentials = useResource<{ items: CredentialJson[] }>(
    `${apiUserPath(clientId)}/credentials`,
    follow,
    AGAIN_MS,
  );
  const live = useLiveUse(clientId);
  if (isNoSuchApiUser(user)) return <NoSuchApiUser clientId={clientId} />;
  const items = credentials.data?.items ?? [];
  const credential = items.find((one) => one.id === id);
  return (
    <Page
      title={credential?.name ?? 'Credential'}
      back={{ href: paths.apiUser(clientId), text: user.data?.name ?? 'API user' }}
      lead={credential !== undefined && <Lead credential={credential} />}
      actions={
        credential?.state === 'live' && <Actions credential={credential} onChanged={credentials.reload} />
      }
    >
      <Loaded from={credentials} size="tall">
        {() =>
          credential === undefined ? (
            <Empty icon="key" title="There is no such credential">
              <p>
                The API user has no credential <code>{id}</code>. It may have ended long ago.
              </p>
            </Empty>
          ) : (
            <Body credential={credential} all={items} live={live} credentials={credentials} />
          )
        }
      </Loaded>
    </Page>
  );
}

function Lead({ credential }: { credential: CredentialJson }): JSX.Element {
  const { id, kind, state } = credential;
  return (
    <div class="row">
      <span>{capital(kindText(kind))}</span>
      <Id text={id} what="the id of the credential" />
      <CredentialBadge state={state} />
    </div>
  );
}

function Actions(props: { credential: CredentialJson; onChanged: () => void }): JSX.Element | null {
  const { credential, onChanged } = props;
  const mayWrite = useMay('operator');
  const [open, setOpen] = useState<'edit' | 'retire' | null>(null);
  if (!mayWrite) return null;
  const close = () => setOpen(null);
  return (
    <>
      {credential.kind === 'trust' && (
        <LinkButton icon="copy" href={`${paths.trust(credential.client_id)}?like=${credential.id}`}>
          New rule like this
        </LinkButton>
      )}
      <Button icon="edit" onClick={() => setOpen('edit')}>
        Edit
      </Button>
      <Button kind="danger-quiet" onClick={() => setOpen('retire')}>
        Retire
      </Button>
      {open === 'edit' && <EditCredential credential={credential} onDone={onChanged} onClose={close} />}
      {open === 'retire' && <Retire credential={credential} onRetired={onChanged} onClose={close} />}
    </>
  );
}

function Body(props: {
  credential: CredentialJson;
  all: readonly CredentialJson[];
  live: LiveUse;
  credentials: Resource<unknown>;
}): JSX.Element {
  const { credential, all, live } = props;
  const { client_id: clientId, kind, state, trust_rule: rule } = credential;
  const isLive = state === 'live';
  return (
    <>
      {rule === undefined ? <PublicKey credential={credential} all={all} /> : <TrustRule rule={rule} />}
      <Use credential={credential} live={live} />
      {isLive && <KeySource credential={credential} />}
      {isLive && kind === 'trust' && (
        <Card title="Check a token">
          <p class="hint">
            Would this token pass, and if not, why? The token is checked against all live rules of the API
            user.
          </p>
          <TokenCheck clientId={clientId} />
        </Card>
      )}
      {isLive && <CredentialSnippets credential={credential} />}
    </>
  );
}

function Use({ credential, live }: { credential: CredentialJson; live: LiveUse }): JSX.Element {
  const { kind, last_subject: subject, last_refusal: refusal, expires_at: expires } = credential;
  return (
    <Card title="Use">
      <dl class="facts">
        <dt>Last used</dt>
        <dd>
          <LastUse credential={credential} seen={live.credentials.get(credential.id)} />
        </dd>
        <dt>Uses</dt>
        <dd>{whole(credential.use_count)}</dd>
        {kind === 'trust' && (
          <>
            <dt>Last subject</dt>
            <dd>
              {subject === null || subject === undefined ? (
                <span class="soft">none</span>
              ) : (
                <code>{subject}</code>
              )}
            </dd>
          </>
        )}
        <dt>Expires</dt>
        <dd>{expires === null ? <span class="soft">never</span> : <At at={expires} />}</dd>
        {(refusal === undefined || refusal === null) && (
          <>
            <dt>Last refusal</dt>
            <dd class="soft">none</dd>
          </>
        )}
      </dl>
      {refusal !== undefined && refusal !== null && (
        <Notice
          kind="warn"
          title={
            <>
              Last refusal <Ago at={refusal.at} seconds />: {reasonText(refusal.reason)}
            </>
          }
        >
          {refusal.detail !== null && <p class="breakable">{capital(refusal.detail)}</p>}
          <p>
            The caller was at <code>{refusal.address}</code>. It got the same answer as for every other
            refusal: the reason is shown only here.
          </p>
        </Notice>
      )}
    </Card>
  );
}
