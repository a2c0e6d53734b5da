import { Fragment, type JSX } from 'preact';
import { useState } from 'preact/hooks';
import { useLocation, useRoute } from 'preact-iso/router';
import { request } from '../api/client.ts';
import { Problem } from '../api/problem.ts';
import type { ApiUserJson } from '../../../server/src/http/admin/api-user.wire.ts';
import { paths } from '../paths.ts';
import { site } from '../site.ts';
import { announce } from '../state/announce.ts';
import { useResource } from '../state/resource.ts';
import { useAction } from '../ui/action.ts';
import { Button, LinkButton } from '../ui/button.tsx';
import { valueText } from '../ui/audit-list.tsx';
import { Loaded, Skeleton } from '../ui/loaded.tsx';
import { Notice } from '../ui/notice.tsx';
import { Page } from '../ui/page.tsx';
import { SettingsFields, type EditableSettings } from './api-user-form.tsx';
import { isNoSuchApiUser, NoSuchApiUser } from './no-such-api-user.tsx';
import { Form, FormEnd } from '../ui/form.tsx';
import { apiUserPath } from '../api/paths.ts';

export function EditApiUserPage(): JSX.Element {
  const { clientId = '' } = useRoute().params;
  // Not followed: the form must not change during editing. The server reports conflicting changes.
  const user = useResource<ApiUserJson>(apiUserPath(clientId));
  if (isNoSuchApiUser(user)) return <NoSuchApiUser clientId={clientId} />;
  return (
    <Page
      title="Edit the settings"
      lead={user.data?.name}
      back={{ href: paths.apiUser(clientId), text: user.data?.name ?? 'API user' }}
      narrow
    >
      <Loaded from={user} size="tall">
        {(data) =>
          user.loading ? <Skeleton size="tall" /> : <EditForm key={user.etag} user={data} etag={user.etag} />
        }
      </Loaded>
    </Page>
  );
}

const MEMBERS = [
  'name',
  'contact',
  'username',
  'scopes',
  'audiences',
  'limit_per_minute',
  'allowed_networks',
] as const satisfies readonly (keyof EditableSettings)[];

function EditForm({ user, etag }: { user: ApiUserJson; etag: string | null }): JSX.Element {
  const { route } = useLocation();
  const [base, setBase] = useState({ user, etag });
  const [settings, setSettings] = useState<EditableSettings>(settingsOf(user));
  /** Members that another operator changed during the editing. */
  const [theirs, setTheirs] = useState<Partial<EditableSettings>>({});
  const action = useAction(async () => {
    const path = apiUserPath(user.client_id);
    try {
      await request('PATCH', path, { body: changed(base.user, settings), ifMatch: base.etag });
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== 'stale') throw error;
      const { data, etag: newest } = await request<ApiUserJson>('GET', path);
      setTheirs(changed(base.user, settingsOf(data)));
      // Untouched members take their values; edited ones stay, for review before saving.
      const mine = changed(base.user, settings);
      setSettings({ ...settingsOf(data), ...mine });
      setBase({ user: data, etag: newest });
      return;
    }
    announce(`Saved the settings of ${settings.name}.`);
    route(paths.apiUser(user.client_id), true);
  });
  return (
    <Form onSubmit={() => action.run()} class="card">
      <SettingsFields
        settings={settings}
        onChange={(change) => setSettings((before) => ({ ...before, ...change }))}
        errorOf={action.errorOf}
      />
      {Object.keys(theirs).length > 0 && (
        <Notice
          kind="warn"
          title={`Another ${site.kind === 'console' ? 'operator' : 'person'} changed this API user`}
          alert
        >
          <p>
            Changed by them: {Object.keys(theirs).join(', ').replaceAll('_', ' ')}. Nothing is saved yet.
            Fields that you did not edit show their values, the others yours. Check them and save again.
          </p>
          <Conflicts
            theirs={theirs}
            mine={settings}
            onTake={(member) => setSettings((before) => ({ ...before, [member]: theirs[member] }))}
          />
        </Notice>
      )}
      <FormEnd action={action} verb="Save">
        <LinkButton kind="quiet" href={paths.apiUser(user.client_id)}>
          Cancel
        </LinkButton>
      </FormEnd>
    </Form>
  );
}

/** Fields that both operators edited, with both values. */
function Conflicts(props: {
  theirs: Partial<EditableSettings>;
  mine: EditableSettings;
  onTake: (member: keyof EditableSettings) => void;
}): JSX.Element | null {
  const { theirs, mine, onTake } = props;
  const members = MEMBERS.filter(
    (member) => theirs[member] !== undefined && valueText(theirs[member]) !== valueText(mine[member]),
  );
  if (members.length === 0) return null;
  return (
    <dl class="facts">
      {members.map((member) => (
        <Fragment key={member}>
          <dt>{member.replaceAll('_', ' ')}</dt>
          <dd class="row">
            <span>
              theirs: <strong>{valueText(theirs[member])}</strong>
            </span>
            <span>
              yours: <strong>{valueText(mine[member])}</strong>
            </span>
            <Button small onClick={() => onTake(member)}>
              Take theirs<span class="unseen"> for {member.replaceAll('_', ' ')}</span>
            </Button>
          </dd>
        </Fragment>
      ))}
    </dl>
  );
}

function settingsOf(user: ApiUserJson): EditableSettings {
  return Object.fromEntries(MEMBERS.map((member) => [member, user[member]])) as unknown as EditableSettings;
}

/** Only changed members, so that nothing else is overwritten. */
function changed(before: EditableSettings, after: EditableSettings): Partial<EditableSettings> {
  const members = MEMBERS.filter(
    (member) => JSON.stringify(before[member]) !== JSON.stringify(after[member]),
  );
  return Object.fromEntries(members.map((member) => [member, after[member]]));
}
