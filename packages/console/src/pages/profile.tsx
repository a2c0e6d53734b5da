import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { request } from '../api/client.ts';
import type { Page as PageOf } from '../../../server/src/http/admin/schema.ts';
import type { OwnSessionJson } from '../../../server/src/http/admin/session.wire.ts';
import { site } from '../site.ts';
import { announce } from '../state/announce.ts';
import { useResource } from '../state/resource.ts';
import { useActor } from '../state/session.ts';
import { useAction } from '../ui/action.ts';
import { Badge, RoleBadge } from '../ui/badge.tsx';
import { Button } from '../ui/button.tsx';
import { PasswordField, UsernameForManagers } from '../ui/field.tsx';
import { Form, FormEnd } from '../ui/form.tsx';
import { Loaded } from '../ui/loaded.tsx';
import { Failure } from '../ui/notice.tsx';
import { Card, Page } from '../ui/page.tsx';
import { SignOutButton } from '../ui/shell.tsx';
import { Ago, At } from '../ui/time.tsx';
import { SecondFactor } from './second-factor.tsx';

export function ProfilePage(): JSX.Element {
  const actor = useActor();
  return (
    <Page
      title="Profile"
      lead={
        actor !== null && (
          <div class="row">
            <span class="breakable">{actor.name}</span>
            {actor.role !== 'none' && site.kind === 'console' && <RoleBadge role={actor.role} />}
          </div>
        )
      }
      actions={<SignOutButton />}
      narrow
    >
      <SecondFactor />
      <ChangePassword />
      <Sessions />
    </Page>
  );
}

function ChangePassword(): JSX.Element {
  const actor = useActor();
  const [current, setCurrent] = useState('');
  const [next, setNext] = useState('');
  const [changes, setChanges] = useState(0);
  const action = useAction(async () => {
    await request('PUT', '/profile/password', { body: { current_password: current, new_password: next } });
    setCurrent('');
    setNext('');
    setChanges((before) => before + 1);
    announce('Your password is changed. Your other sessions have ended.');
  });
  return (
    <Card title="Password">
      <Form key={changes} onSubmit={() => action.run()}>
        <UsernameForManagers email={actor?.name ?? ''} />
        <PasswordField
          label="Current password"
          autocomplete="current-password"
          value={current}
          onInput={setCurrent}
          error={action.errorOf('current_password')}
        />
        <PasswordField
          label="New password"
          autocomplete="new-password"
          hint="At least 12 characters that are hard to guess. Several words work well."
          value={next}
          onInput={setNext}
          error={action.errorOf('new_password')}
        />
        <FormEnd action={action} verb="Change the password" kind="plain" />
      </Form>
    </Card>
  );
}

function Sessions(): JSX.Element {
  const sessions = useResource<PageOf<OwnSessionJson>>('/profile/sessions');
  return (
    <Card title="Sessions">
      <Loaded from={sessions} size="tall">
        {({ items }) => (
          <ul class="plain-list">
            {items.map((session) => (
              <SessionRow key={session.id} session={session} onEnded={sessions.reload} />
            ))}
          </ul>
        )}
      </Loaded>
    </Card>
  );
}

function SessionRow({ session, onEnded }: { session: OwnSessionJson; onEnded: () => void }): JSX.Element {
  const { id, user_agent: agent, address, current } = session;
  const action = useAction(async () => {
    await request('DELETE', `/profile/sessions/${id}`);
    announce('The session has ended.');
    onEnded();
  });
  return (
    <li class="row apart">
      <div class="stack tight">
        <span class="row">
          <strong title={agent ?? undefined}>{browserOf(agent)}</strong>
          {address !== null && <code>{address}</code>}
          {current && <Badge kind="good">this one</Badge>}
        </span>
        <span class="soft small">
          Signed in <At at={session.created_at} />; last seen <Ago at={session.last_seen_at} />
        </span>
      </div>
      {!current && (
        <Button small kind="danger-quiet" busy={action.busy} onClick={() => action.run()}>
          End<span class="unseen"> the session from {address}</span>
        </Button>
      )}
      <Failure error={action.error} />
    </li>
  );
}

const BROWSERS = [
  ['Edg', 'Edge'],
  ['OPR', 'Opera'],
  ['Firefox', 'Firefox'],
  ['Chrom', 'Chrome'],
  ['Safari', 'Safari'],
] as const;
const SYSTEMS = [
  ['Android', 'Android'],
  ['iPhone', 'iPhone'],
  ['iPad', 'iPad'],
  ['Windows', 'Windows'],
  ['Mac OS', 'macOS'],
  ['Linux', 'Linux'],
] as const;

/** "Firefox on Linux", enough to recognize one's own sessions. Hovering shows the full text. */
function browserOf(agent: string | null): string {
  if (agent === null) return 'Unknown program';
  const find = (names: readonly (readonly [string, string])[]) =>
    names.find(([part]) => agent.includes(part))?.[1];
  const browser = find(BROWSERS) ?? agent.slice(0, 40);
  const system = find(SYSTEMS);
  return system === undefined ? browser : `${browser} on ${system}`;
}
