import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { useMay } from '../state/session.ts';
import { Button } from '../ui/button.tsx';
import { Members, useMembers } from '../ui/members.tsx';
import { Page } from '../ui/page.tsx';

/** The people of the organisation. Its admins invite and remove them. */
export function MembersPage(): JSX.Element {
  const isAdmin = useMay('admin');
  const [inviting, setInviting] = useState(false);
  const members = useMembers('');
  return (
    <Page
      title="Members"
      lead="The people of your organisation who manage its API users."
      actions={
        isAdmin && (
          <Button kind="primary" icon="plus" onClick={() => setInviting(true)}>
            Invite
          </Button>
        )
      }
    >
      <section class="card" aria-label="Members">
        <Members
          path=""
          members={members}
          mayChange={isAdmin}
          inviting={inviting}
          onInvited={() => setInviting(false)}
        />
      </section>
    </Page>
  );
}
