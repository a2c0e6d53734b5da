import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { useLocation, useRoute } from 'preact-iso/router';
import { withQuery } from '../api/client.ts';
import { apiUserPath } from '../api/paths.ts';
import type { ApiUserJson } from '../../../server/src/http/admin/api-user.wire.ts';
import type { AuditEntryJson } from '../../../server/src/http/admin/audit-entry.wire.ts';
import type { CredentialJson } from '../../../server/src/http/admin/credential.wire.ts';
import type { Page as PageOf } from '../../../server/src/http/admin/schema.ts';
import { config } from '../config.ts';
import { paths } from '../paths.ts';
import { takeOver } from '../state/hand-over.ts';
import { useFresh, useResource } from '../state/resource.ts';
import { useLiveUse } from '../state/uses.ts';
import { LinkButton } from '../ui/button.tsx';
import { CodeBlock } from '../ui/copy.tsx';
import { Loaded } from '../ui/loaded.tsx';
import { Notice } from '../ui/notice.tsx';
import { Card, Page } from '../ui/page.tsx';
import { SecretOnce } from '../ui/secret-once.tsx';
import { At } from '../ui/time.tsx';
import { SecretGone } from './first-secret.tsx';
import { isNoSuchApiUser, NoSuchApiUser } from './no-such-api-user.tsx';

/** Facts of a cut-off, from its audit entry. */
interface CutOffFacts {
  credentials: readonly { id: string; kind: string; name: string }[];
  new_credential: { id: string } | null;
  tokens_revoked_issued_before?: string;
}

export function AfterCutOffPage(): JSX.Element {
  const { clientId = '' } = useRoute().params;
  return <AfterCutOff key={clientId} clientId={clientId} />;
}

/** Shows what an API user's last cut-off blocked, the new secret, and text for the integrator. */
function AfterCutOff({ clientId }: { clientId: string }): JSX.Element {
  const { route } = useLocation();
  const [shown, setShown] = useState(() => takeOver(clientId));
  const live = useLiveUse(clientId);
  const follow = [{ noun: 'api_user', id: clientId }];
  const user = useResource<ApiUserJson>(apiUserPath(clientId), follow);
  const credentials = useFresh(
    useResource<{ items: CredentialJson[] }>(`${apiUserPath(clientId)}/credentials`, follow),
  );
  const cutOffs = useFresh(
    useResource<PageOf<AuditEntryJson>>(
      withQuery('/audit', { action: 'credential.cut_off', subject: clientId, outcome: 'done', limit: 1 }),
      follow,
    ),
  );
  if (isNoSuchApiUser(user)) return <NoSuchApiUser clientId={clientId} />;
  const name = user.data?.name ?? shown?.name ?? 'API user';
  const entry = credentials.data && cutOffs.data?.items[0];
  const working = credentials.data?.items.filter(({ state }) => state === 'live') ?? [];
  const leave = () => {
    setShown(null);
    route(paths.apiUser(clientId), true);
  };
  return (
    <Page title={`Cut-off of ${name}`} back={{ href: paths.apiUser(clientId), text: name }} narrow>
      <Card title="What is refused">
        <Loaded from={credentials}>
          {() => (
            <Loaded from={cutOffs}>
              {() =>
                entry === undefined ? <NotCutOff name={name} /> : <Refused entry={entry} working={working} />
              }
            </Loaded>
          )}
        </Loaded>
      </Card>
      {shown !== null && (
        <Card title="The new secret">
          <SecretOnce shown={shown} live={live} buttonText="Done" onDone={leave} />
        </Card>
      )}
      {entry !== undefined && shown === null && (
        <NextSecret clientId={clientId} entry={entry} isWorking={working.length > 0} />
      )}
      {entry !== undefined && (
        <Card title="What to tell the integrator">
          {user.data?.contact && <p>Contact: {user.data.contact}</p>}
          <CodeBlock text={letterOf(clientId, name, entry, working)} what="text for the integrator" />
          <p class="hint">It contains no secret. Send the secret separately, to the integrator only.</p>
        </Card>
      )}
    </Page>
  );
}

function NotCutOff({ name }: { name: string }): JSX.Element {
  return <p>{name} was not cut off, or the audit log no longer has the entry.</p>;
}

function Refused(props: { entry: AuditEntryJson; working: readonly CredentialJson[] }): JSX.Element {
  const { entry, working } = props;
  const { credentials, tokens_revoked_issued_before: before } = factsOf(entry);
  return (
    <div class="stack">
      <p>
        Since <At at={entry.at} exact />, cut off by <span class="breakable">{entry.actor.name}</span>:
      </p>
      <ul class="consequences">
        {credentials.map(({ id, kind, name }) => (
          <li key={id}>
            The {kind} <strong class="breakable">{name}</strong> (<code>{id}</code>) gets no tokens any more.
          </li>
        ))}
        {credentials.length === 0 && <li>No credential was live at that time.</li>}
        {before !== undefined && (
          <li>
            Every access token issued until <At at={before} exact /> is revoked. APIs with @mintmark/verifier,
            and those that introspect, refuse them within ten seconds. An API that only checks signature and
            expiry accepts them until they expire.
          </li>
        )}
      </ul>
      {working.length === 0 ? (
        <p>It has no live credential, so it gets no tokens.</p>
      ) : (
        <div class="stack tight">
          <p>
            {working.every(({ id }) => isNewOf(entry, id))
              ? 'Only the new secret works now:'
              : 'Working now:'}
          </p>
          <ul class="consequences">
            {working.map(({ id, kind, name, created_at: created }) => (
              <li key={id}>
                the {kind} <strong class="breakable">{name}</strong> (<code>{id}</code>), made{' '}
                <At at={created} />
              </li>
            ))}
          </ul>
        </div>
      )}
    </div>
  );
}

/** Replaces the new secret: says how to get another one. */
function NextSecret(props: { clientId: string; entry: AuditEntryJson; isWorking: boolean }): JSX.Element {
  const { clientId, entry, isWorking } = props;
  if (factsOf(entry).new_credential !== null) return <SecretGone clientId={clientId} />;
  return (
    <Notice
      kind={isWorking ? 'info' : 'warn'}
      title={isWorking ? 'The cut-off created no new secret' : 'It gets no tokens: it has no live credential'}
    >
      <div>
        <LinkButton small href={paths.reset(clientId)}>
          Reset credentials
        </LinkButton>
      </div>
    </Notice>
  );
}

function factsOf({ after }: AuditEntryJson): CutOffFacts {
  return after as unknown as CutOffFacts;
}

function isNewOf(entry: AuditEntryJson, id: string): boolean {
  return factsOf(entry).new_credential?.id === id;
}

function letterOf(
  clientId: string,
  name: string,
  entry: AuditEntryJson,
  working: readonly CredentialJson[],
): string {
  const { credentials, tokens_revoked_issued_before: before } = factsOf(entry);
  const others = working.filter(({ id }) => !isNewOf(entry, id));
  const next = working.some(({ id }) => isNewOf(entry, id))
    ? 'You will receive a new secret separately. Replace the old one with it.'
    : others.length > 0
      ? `Use another of your credentials: ${others.map(described).join(', ')}.`
      : 'You cannot get tokens without a new secret. Ask us for one.';
  return [
    `On ${utc(entry.at)} we blocked credentials of the API user "${name}", because they may have leaked.`,
    '',
    `Client id: ${clientId}`,
    ...credentials.map((credential) => `Refused since then: the ${described(credential)}`),
    ...(before === undefined ? [] : [`Also refused: access tokens issued up to ${utc(before)}`]),
    '',
    'What to do:',
    `1. ${next}`,
    '2. Let your program request a new access token: restart it, unless it does so after a 401.',
    '   A program that sends the refused secret again gets 403 invalid_client.',
    '3. Find where the secret leaked (repository, log, ticket, chat) and remove it there.',
    '',
    `Token endpoint: ${config.token_endpoint}`,
  ].join('\n');
}

function described({ id, kind, name }: { id: string; kind: string; name: string }): string {
  return `${kind} ${id} (${name})`;
}

/** UTC, because the integrator may be in another time zone. */
function utc(iso: string): string {
  return `${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC`;
}
