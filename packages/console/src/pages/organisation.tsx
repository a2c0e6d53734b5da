import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { useLocation, useRoute } from 'preact-iso/router';
import { post, request, withQuery } from '../api/client.ts';
import type { AuditEntryJson } from '../../../server/src/http/admin/audit-entry.wire.ts';
import type { OrganisationJson } from '../../../server/src/http/admin/organisation.wire.ts';
import { Problem } from '../api/problem.ts';
import { plural } from '../format.ts';
import { paths } from '../paths.ts';
import { announce } from '../state/announce.ts';
import { usePages } from '../state/pages.ts';
import { useResource } from '../state/resource.ts';
import { useMay } from '../state/session.ts';
import { useAction } from '../ui/action.ts';
import { AuditList } from '../ui/audit-list.tsx';
import { EnabledBadge } from '../ui/badge.tsx';
import { Button, LinkButton } from '../ui/button.tsx';
import { ClaimsText } from '../ui/claims.tsx';
import { Id } from '../ui/copy.tsx';
import { CancelButton, Confirm, Dialog } from '../ui/dialog.tsx';
import { DisabledNotice } from '../ui/disabled-notice.tsx';
import { CheckField } from '../ui/field.tsx';
import { Form, FormEnd } from '../ui/form.tsx';
import { ListEnd } from '../ui/list-end.tsx';
import { Loaded, Skeleton } from '../ui/loaded.tsx';
import { Members, useMembers } from '../ui/members.tsx';
import { Empty } from '../ui/notice.tsx';
import { Card, Page } from '../ui/page.tsx';
import { At } from '../ui/time.tsx';
import { PastUsage, PastSpanField, type PastSpan } from '../ui/usage-charts.tsx';
import { OrganisationNames, type Names } from './organisation-names.tsx';
import { PolicyFacts } from './policy-facts.tsx';
import { Violations } from './violations.tsx';

const BACK = { href: paths.organisations, text: 'Organisations' };

export function organisationPath(id: string): string {
  return `/organisations/${encodeURIComponent(id)}`;
}

export function OrganisationPage(): JSX.Element {
  const { organisationId: id = '' } = useRoute().params;
  return <OneOrganisation key={id} id={id} />;
}

export function isNoSuchOrganisation({ error }: { error: unknown }): boolean {
  return error instanceof Problem && [400, 404].includes(error.status);
}

export function NoSuchOrganisation({ id }: { id: string }): JSX.Element {
  return (
    <Page title="There is no such organisation" back={BACK}>
      <Empty icon="search" title="No organisation has this id">
        <p>
          <code class="breakable">{id}</code> may have been deleted: <a href={paths.audit}>the audit log</a>{' '}
          shows by whom.
        </p>
      </Empty>
    </Page>
  );
}

function OneOrganisation({ id }: { id: string }): JSX.Element {
  const organisation = useResource<OrganisationJson>(organisationPath(id), [{ noun: 'organisation', id }]);
  if (isNoSuchOrganisation(organisation)) return <NoSuchOrganisation id={id} />;
  const { data, etag, reload } = organisation;
  return (
    <Page
      title={data?.name ?? 'Organisation'}
      back={BACK}
      lead={
        <div class="row">
          <Id text={id} what="id of the organisation" />
          {data !== undefined && <EnabledBadge enabled={data.enabled} />}
        </div>
      }
      actions={
        <LinkButton icon="next" href={paths.portalOf(id)}>
          View as a member
        </LinkButton>
      }
    >
      <Loaded from={organisation} size="tall">
        {(shown) => (
          <>
            {!shown.enabled && (
              <DisabledNotice
                title="It is disabled: its API users get no tokens, and its members see nothing"
                path={organisationPath(shown.id)}
                leastRole="admin"
                enabled={`${shown.name} is enabled.`}
                onDone={reload}
              />
            )}
            <Violations id={id} />
          </>
        )}
      </Loaded>
      <Usage id={id} />
      {data !== undefined && <ApiUsers organisation={data} />}
      <MembersCard id={id} />
      {data !== undefined && (
        <>
          <Settings organisation={data} etag={etag} onChanged={reload} />
          <Policy organisation={data} />
        </>
      )}
      <History id={id} />
      {data !== undefined && <Stop organisation={data} onChanged={reload} />}
    </Page>
  );
}

function Usage({ id }: { id: string }): JSX.Element {
  const [span, setSpan] = useState<PastSpan>('hour');
  return (
    <Card title="Use" actions={<PastSpanField span={span} onInput={setSpan} />}>
      <PastUsage key={span} path={`${organisationPath(id)}/usage`} span={span} />
    </Card>
  );
}

function ApiUsers({ organisation: { id, policy } }: { organisation: OrganisationJson }): JSX.Element {
  const matches = useResource<{ items: { client_id: string; name: string }[]; next: string | null }>(
    withQuery('/api-users', { organisation_id: id, limit: 10, sort: '-created_at' }),
    [{ noun: 'api_user' }],
  );
  const mayWrite = useMay('operator');
  const list = withQuery(paths.apiUsers, { organisation_id: id });
  return (
    <Card
      title="API users"
      actions={
        mayWrite && (
          <LinkButton small icon="plus" href={withQuery(paths.newApiUser, { organisation_id: id })}>
            New API user
          </LinkButton>
        )
      }
    >
      <Loaded from={matches} size="text">
        {({ items, next }) =>
          items.length === 0 ? (
            <p class="soft">
              It has none yet. Its members create them in the portal, at most{' '}
              {plural(policy.api_users_max, 'API user')}.
            </p>
          ) : (
            <>
              <ul class="plain-list">
                {items.map(({ client_id: clientId, name }) => (
                  <li class="row apart" key={clientId}>
                    <a class="breakable" href={paths.apiUser(clientId)}>
                      {name}
                    </a>
                    <code class="soft breakable">{clientId}</code>
                  </li>
                ))}
              </ul>
              <p class="small">
                <a href={list}>{next === null ? 'Search and filter them' : 'All of them'}</a>
              </p>
            </>
          )
        }
      </Loaded>
    </Card>
  );
}

function MembersCard({ id }: { id: string }): JSX.Element {
  const mayWrite = useMay('operator');
  const [inviting, setInviting] = useState(false);
  const path = organisationPath(id);
  const members = useMembers(path);
  return (
    <Card
      title="Members"
      actions={
        mayWrite && (
          <Button small icon="plus" onClick={() => setInviting(true)}>
            Invite a member
          </Button>
        )
      }
    >
      <Members
        path={path}
        members={members}
        mayChange={mayWrite}
        inviting={inviting}
        onInvited={() => setInviting(false)}
      />
    </Card>
  );
}

function Settings(props: {
  organisation: OrganisationJson;
  etag: string | null;
  onChanged: () => void;
}): JSX.Element {
  const { organisation, etag, onChanged } = props;
  const isAdmin = useMay('admin');
  const [editing, setEditing] = useState(false);
  return (
    <Card
      title="Settings"
      actions={
        isAdmin && (
          <Button small icon="edit" onClick={() => setEditing(true)}>
            Edit
          </Button>
        )
      }
    >
      <dl class="facts">
        <dt>Contact</dt>
        <dd>{organisation.contact ?? <span class="soft">nobody is named</span>}</dd>
        <dt>External id</dt>
        <dd>{organisation.external_id ?? <span class="soft">none</span>}</dd>
        <dt>Claims</dt>
        <dd class="stack tight">
          <ClaimsText claims={organisation.claims} none="none" />
          {isAdmin && (
            <a class="small" href={paths.organisationClaims(organisation.id)}>
              Claims and life of its tokens
            </a>
          )}
        </dd>
        <dt>Created</dt>
        <dd>
          <At at={organisation.created_at} />
        </dd>
      </dl>
      {editing && (
        <EditNames
          organisation={organisation}
          etag={etag}
          onDone={onChanged}
          onClose={() => setEditing(false)}
        />
      )}
    </Card>
  );
}

function EditNames(props: {
  organisation: OrganisationJson;
  etag: string | null;
  onDone: () => void;
  onClose: () => void;
}): JSX.Element {
  const { organisation, etag, onDone, onClose } = props;
  const { name, contact, external_id } = organisation;
  const [names, setNames] = useState<Names>({ name, contact, external_id });
  const action = useAction(async () => {
    await request('PATCH', organisationPath(organisation.id), { body: names, ifMatch: etag });
    announce(`Saved ${names.name}.`);
    onDone();
    onClose();
  });
  return (
    <Dialog title="Edit the organisation" onClose={onClose}>
      <Form onSubmit={() => action.run()}>
        <OrganisationNames
          names={names}
          onChange={(change) => setNames((before) => ({ ...before, ...change }))}
          errorOf={action.errorOf}
        />
        <FormEnd action={action} verb="Save" before={<CancelButton />} />
      </Form>
    </Dialog>
  );
}

function Policy({ organisation: { id, policy } }: { organisation: OrganisationJson }): JSX.Element {
  const isAdmin = useMay('admin');
  return (
    <Card
      title="Policy"
      actions={
        isAdmin && (
          <LinkButton small icon="edit" href={paths.organisationPolicy(id)}>
            Edit the policy
          </LinkButton>
        )
      }
    >
      <PolicyFacts policy={policy} />
    </Card>
  );
}

function History({ id }: { id: string }): JSX.Element {
  const list = usePages<AuditEntryJson>(withQuery('/audit', { organisation: id }), [{ noun: '*' }]);
  return (
    <Card title="History">
      {list.loaded ? (
        <AuditList entries={list.items} none="No changes yet." />
      ) : (
        list.error === undefined && <Skeleton size="tall" />
      )}
      <ListEnd of={list} narrow="The audit log has older entries." />
      <p class="small">
        <a href={withQuery(paths.audit, { organisation: id })}>Search and filter them</a>
      </p>
    </Card>
  );
}

function Stop(props: { organisation: OrganisationJson; onChanged: () => void }): JSX.Element | null {
  const { organisation, onChanged } = props;
  const isAdmin = useMay('admin');
  const [open, setOpen] = useState<'disable' | 'delete' | null>(null);
  if (!isAdmin) return null;
  const close = () => setOpen(null);
  return (
    <Card title="Stop it">
      <ul class="plain-list">
        {organisation.enabled && (
          <li class="row apart">
            <span>
              <strong>Disable it</strong>
              <span class="hint block">
                Its API users get no tokens, and its members see nothing, until it is enabled again.
              </span>
            </span>
            <Button kind="danger-quiet" onClick={() => setOpen('disable')}>
              Disable
            </Button>
          </li>
        )}
        <li class="row apart">
          <span>
            <strong>Delete it</strong>
            <span class="hint block">Possible without API users: move or delete them first.</span>
          </span>
          <Button kind="danger-quiet" icon="trash" onClick={() => setOpen('delete')}>
            Delete
          </Button>
        </li>
      </ul>
      {open === 'disable' && <Disable organisation={organisation} onDone={onChanged} onClose={close} />}
      {open === 'delete' && <Delete organisation={organisation} onClose={close} />}
    </Card>
  );
}

function Disable(props: {
  organisation: OrganisationJson;
  onDone: () => void;
  onClose: () => void;
}): JSX.Element {
  const { organisation, onDone, onClose } = props;
  const [revoke, setRevoke] = useState(true);
  const disable = async () => {
    await post(`${organisationPath(organisation.id)}/disable`, { revoke_tokens: revoke });
    announce(`${organisation.name} is disabled.`);
    onDone();
  };
  return (
    <Confirm title={`Disable ${organisation.name}?`} verb="Disable" onConfirm={disable} onClose={onClose}>
      <p>Every program of this organisation gets no more tokens within a second.</p>
      <CheckField
        label="Also revoke the tokens that they have"
        hint="APIs with @mintmark/verifier refuse them within ten seconds."
        checked={revoke}
        onInput={setRevoke}
      />
    </Confirm>
  );
}

function Delete(props: { organisation: OrganisationJson; onClose: () => void }): JSX.Element {
  const { organisation, onClose } = props;
  const { route } = useLocation();
  const remove = async () => {
    await request('DELETE', organisationPath(organisation.id));
    announce(`${organisation.name} is deleted.`);
    route(paths.organisations, true);
  };
  return (
    <Confirm
      title={`Delete ${organisation.name}?`}
      verb="Delete permanently"
      typed={{ label: `Type ${organisation.name} to confirm`, text: organisation.name }}
      onConfirm={remove}
      onClose={onClose}
    >
      <p>Its members lose their access to it. Its history stays in the audit log.</p>
    </Confirm>
  );
}
