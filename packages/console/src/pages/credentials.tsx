import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { RETIRED_WHEN_QUIET_MS } from '../../../server/src/domain/credential.ts';
import type { CredentialJson } from '../../../server/src/http/admin/credential.wire.ts';
import { whole } from '../format.ts';
import { paths } from '../paths.ts';
import { site } from '../site.ts';
import type { Resource } from '../state/resource.ts';
import { useAllows } from '../state/organisation.ts';
import { useMay } from '../state/session.ts';
import type { LiveUse, SeenUse } from '../state/uses.ts';
import { CredentialBadge } from '../ui/badge.tsx';
import { Button, LinkButton } from '../ui/button.tsx';
import { kindText } from '../ui/credential-kind.ts';
import { Dialog } from '../ui/dialog.tsx';
import { CheckField } from '../ui/field.tsx';
import { Loaded } from '../ui/loaded.tsx';
import { Empty } from '../ui/notice.tsx';
import { Card } from '../ui/page.tsx';
import { reasonText } from '../ui/reasons.ts';
import { Ago, At } from '../ui/time.tsx';
import { EditCredential } from './edit-credential.tsx';
import { Retire } from './retire.tsx';
import { TokenCheck } from './token-check.tsx';
import { ruleText } from './trust-draft.ts';

export interface CredentialsProps {
  clientId: string;
  credentials: Resource<{ items: CredentialJson[] }>;
  live: LiveUse;
}

export function Credentials({ clientId, credentials, live }: CredentialsProps): JSX.Element {
  const mayWrite = useMay('operator');
  const allowsSecret = useAllows('secret');
  const allowsKey = useAllows('key');
  const allowsTrust = useAllows('trust');
  return (
    <Card
      title="Credentials"
      actions={
        mayWrite && (
          <div class="row">
            {allowsSecret && (
              <LinkButton small icon="plus" href={`${paths.reset(clientId)}?old=keep`}>
                New secret
              </LinkButton>
            )}
            {allowsSecret && site.kind === 'console' && (
              <LinkButton small icon="out" href={paths.handOver(clientId)}>
                Hand over by a link
              </LinkButton>
            )}
            {allowsKey && (
              <LinkButton small icon="key" href={paths.addKey(clientId)}>
                Add a key
              </LinkButton>
            )}
            {allowsTrust && (
              <LinkButton small icon="operators" href={paths.trust(clientId)}>
                Trust a workload
              </LinkButton>
            )}
          </div>
        )
      }
    >
      <Loaded from={credentials} size="tall">
        {({ items }) =>
          items.length === 0 ? (
            <Empty icon="key" title="It has no credential">
              <p>
                Without one, it gets no tokens. A program that has a key of its own, or a platform that gives
                it a token, needs no secret.
              </p>
              {mayWrite && allowsSecret && (
                <LinkButton kind="primary" href={paths.reset(clientId)}>
                  New secret
                </LinkButton>
              )}
            </Empty>
          ) : (
            <>
              <CredentialTable clientId={clientId} items={items} live={live} onChanged={credentials.reload} />
              <Help clientId={clientId} items={items} />
            </>
          )
        }
      </Loaded>
    </Card>
  );
}

/** What to do if a caller is refused. */
function Help({ clientId, items }: { clientId: string; items: readonly CredentialJson[] }): JSX.Element {
  const mayWrite = useMay('operator');
  const [isChecking, setChecking] = useState(false);
  const hasRules = items.some(({ kind, state }) => kind === 'trust' && state === 'live');
  const hasSecrets = items.some(({ kind }) => kind === 'secret' || kind === 'password');
  return (
    <>
      {mayWrite && hasSecrets && (
        <p class="hint">
          Forgot or lost a secret or password? <a href={paths.reset(clientId)}>Reset the credentials</a>.
        </p>
      )}
      {hasRules && (
        <div class="row">
          <span class="hint">Is the token of a workload refused?</span>
          <Button small icon="search" onClick={() => setChecking(true)}>
            Check a token
          </Button>
        </div>
      )}
      {isChecking && (
        <Dialog title="Check a token" onClose={() => setChecking(false)}>
          <TokenCheck clientId={clientId} />
        </Dialog>
      )}
    </>
  );
}

/** The open dialog, and its credential. */
type Open = { to: 'retire' | 'edit'; credential: CredentialJson };

function CredentialTable(props: {
  clientId: string;
  items: readonly CredentialJson[];
  live: LiveUse;
  onChanged: () => void;
}): JSX.Element {
  const { clientId, items, live, onChanged } = props;
  const mayWrite = useMay('operator');
  const [withEnded, setWithEnded] = useState(false);
  const [open, setOpen] = useState<Open | null>(null);
  const ended = items.filter(({ state }) => state !== 'live');
  const shown = withEnded ? items : items.filter(({ state }) => state === 'live');
  return (
    <>
      <table class="table inset">
        <thead>
          <tr>
            <th scope="col">Credential</th>
            <th scope="col">State</th>
            <th scope="col">Last used</th>
            <th scope="col" class="end">
              Uses
            </th>
            <th scope="col">Expires</th>
            {mayWrite && (
              <th scope="col">
                <span class="unseen">Actions</span>
              </th>
            )}
          </tr>
        </thead>
        <tbody>
          {shown.map((credential) => (
            <CredentialRow
              key={credential.id}
              clientId={clientId}
              credential={credential}
              seen={live.credentials.get(credential.id)}
              onOpen={mayWrite ? (to) => setOpen({ to, credential }) : null}
            />
          ))}
        </tbody>
      </table>
      {shown.length === 0 && <p class="soft">No credential is live: this API user gets no tokens.</p>}
      {ended.length > 0 && (
        <CheckField
          label={`Show the ${whole(ended.length)} that ended`}
          checked={withEnded}
          onInput={setWithEnded}
        />
      )}
      {open?.to === 'retire' && (
        <Retire credential={open.credential} onRetired={onChanged} onClose={() => setOpen(null)} />
      )}
      {open?.to === 'edit' && (
        <EditCredential credential={open.credential} onDone={onChanged} onClose={() => setOpen(null)} />
      )}
    </>
  );
}

function CredentialRow(props: {
  clientId: string;
  credential: CredentialJson;
  seen: SeenUse | undefined;
  onOpen: ((to: Open['to']) => void) | null;
}): JSX.Element {
  const { clientId, credential, seen, onOpen } = props;
  const { name, state, expires_at: expires } = credential;
  const quietFrom = state === 'live' ? quietAt(credential, seen) : null;
  return (
    <tr>
      <th scope="row">
        <Name clientId={clientId} credential={credential} />
      </th>
      <td class="fit">
        <CredentialBadge state={state} />
      </td>
      <td data-label="Last used">
        <div class="stack tight">
          <LastUse credential={credential} seen={seen} />
          <LastRefusal credential={credential} seen={seen} />
        </div>
      </td>
      <td data-label="Uses" class="fit end number">
        {whole(credential.use_count)}
      </td>
      <td data-label="Expires" class="fit">
        {expires === null && quietFrom !== null ? (
          <span title="Once nothing used it for 25 hours and a newer one was used">when quiet</span>
        ) : expires === null ? (
          <span class="soft">never</span>
        ) : state === 'live' ? (
          <Ago at={expires} />
        ) : (
          <At at={expires} />
        )}
      </td>
      {onOpen !== null && (
        <td class="fit whole">
          {state === 'live' && (
            <div class="row end">
              <Button small onClick={() => onOpen('edit')}>
                Edit<span class="unseen"> {name}</span>
              </Button>
              <Button small kind="danger-quiet" onClick={() => onOpen('retire')}>
                Retire<span class="unseen"> {name}</span>
              </Button>
            </div>
          )}
        </td>
      )}
    </tr>
  );
}

/** A key or trust rule has a page of its own, and says what it lets in. */
function Name({ clientId, credential }: { clientId: string; credential: CredentialJson }): JSX.Element {
  const { id, name, kind, trust_rule: rule, jwks_url: url } = credential;
  const hasPage = kind === 'key' || kind === 'trust';
  return (
    <div class="name-cell">
      {hasPage ? (
        <a href={paths.credential(clientId, id)}>{name}</a>
      ) : (
        <strong class="breakable">{name}</strong>
      )}
      <code class="soft">
        {kind === 'secret' ? '' : `${kindText(kind)} `}
        {id}
      </code>
      {rule !== undefined && <span class="hint breakable">Lets in {ruleText(rule)}.</span>}
      {url !== undefined && <span class="hint breakable">Keys of {url}</span>}
    </div>
  );
}

/** The last refusal of a key or trust rule, if no use followed. */
function LastRefusal(props: { credential: CredentialJson; seen: SeenUse | undefined }): JSX.Element | null {
  const { last_refusal: refusal, last_used_at: used } = props.credential;
  const usedAt = Math.max(...[used, props.seen?.at].map((at) => (at ? Date.parse(at) : 0)));
  if (refusal === undefined || refusal === null || Date.parse(refusal.at) < usedAt) return null;
  return (
    <span class="refused small">
      refused <Ago at={refusal.at} seconds />: {reasonText(refusal.reason)}
    </span>
  );
}

/** When it is retired if unused until then; null: not marked. */
export function quietAt(credential: CredentialJson, seen: SeenUse | undefined): string | null {
  const { retire_when_quiet_from: from, last_used_at: used } = credential;
  if (from === null) return null;
  const last = Math.max(...[from, used, seen?.at].map((at) => (at ? Date.parse(at) : 0)));
  return new Date(last + RETIRED_WHEN_QUIET_MS).toISOString();
}

/** The later of the stored and the live use. */
export function LastUse(props: { credential: CredentialJson; seen: SeenUse | undefined }): JSX.Element {
  const { credential, seen } = props;
  const isLater =
    seen !== undefined && (credential.last_used_at === null || seen.at >= credential.last_used_at);
  const at = isLater ? seen.at : credential.last_used_at;
  const address = isLater ? seen.address : credential.last_used_address;
  return (
    <span>
      <Ago at={at} seconds />
      {address !== null && at !== null && (
        <>
          {' '}
          <span class="soft">
            from <code>{address}</code>
          </span>
        </>
      )}
    </span>
  );
}
