import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { CredentialJson } from '../../../server/src/http/admin/credential.wire.ts';
import { duration, plural, sentence } from '../format.ts';
import { paths } from '../paths.ts';
import { site } from '../site.ts';
import { useNow } from '../state/clock.ts';
import type { LiveUse, SeenUse } from '../state/uses.ts';
import { Badge } from '../ui/badge.tsx';
import { Button, LinkButton } from '../ui/button.tsx';
import { Notice } from '../ui/notice.tsx';
import { Ago } from '../ui/time.tsx';
import { LastUse, quietAt } from './credentials.tsx';
import { Retire } from './retire.tsx';

export interface WatchOldProps {
  clientId: string;
  living: readonly CredentialJson[];
  live: LiveUse;
  onChanged: () => void;
}

/** Shows in real time which live credentials are used and from where, then ends the old ones. */
export function WatchOld({ clientId, living, live, onChanged }: WatchOldProps): JSX.Element {
  const [retiring, setRetiring] = useState<CredentialJson | null>(null);
  const [newest, ...old] = living.toSorted((a, b) => b.created_at.localeCompare(a.created_at));
  if (newest === undefined) {
    return (
      <Notice kind="warn" title="No credential is live">
        <p>The API user gets no tokens without one.</p>
      </Notice>
    );
  }
  return (
    <div class="stack">
      <ul class="plain-list">
        <li class="stack tight">
          <div class="row">
            <Badge kind="note">new</Badge>
            <strong class="breakable">{newest.name}</strong>
            <code class="soft">{newest.id}</code>
          </div>
          <p>
            {wasUsed(newest, live.credentials.get(newest.id)) ? (
              <>
                Last used <LastUse credential={newest} seen={live.credentials.get(newest.id)} />
              </>
            ) : (
              <span class="soft">Not used yet. Check that the program has it and reads it.</span>
            )}
          </p>
        </li>
        {old.map((credential) => (
          <OldSecret
            key={credential.id}
            credential={credential}
            seen={live.credentials.get(credential.id)}
            onRetire={() => setRetiring(credential)}
          />
        ))}
      </ul>
      {old.length === 0 && (
        <Notice kind="good" title={`Only the new ${newest.kind} is live`}>
          <p>Nothing is left to retire.</p>
          <div>
            <LinkButton small href={paths.apiUser(clientId)}>
              Back to the API user
            </LinkButton>
          </div>
        </Notice>
      )}
      {retiring !== null && (
        <Retire
          credential={old.find(({ id }) => id === retiring.id) ?? retiring}
          onRetired={onChanged}
          onClose={() => setRetiring(null)}
        />
      )}
    </div>
  );
}

/** Time without a use before this page calls a credential unused. Without the stream, uses are seen later. */
const QUIET_SHOWN_MS = site.kind === 'console' ? 10_000 : 20_000;

function OldSecret(props: {
  credential: CredentialJson;
  seen: SeenUse | undefined;
  onRetire: () => void;
}): JSX.Element {
  const { credential, seen, onRetire } = props;
  const now = useNow(1000);
  const { name, id, retirement_objection: objection, expires_at: expires } = credential;
  const quietFrom = quietAt(credential, seen);
  const lastAt = Math.max(...[seen?.at, credential.last_used_at].map((at) => (at ? Date.parse(at) : 0)));
  const quietMs = Math.max(0, now - lastAt);
  const isInUse = lastAt > 0 && quietMs < QUIET_SHOWN_MS;
  return (
    <li class="stack tight">
      <div class="row">
        <Badge>old</Badge>
        <strong class="breakable">{name}</strong>
        <code class="soft">{id}</code>
        <span class="push">
          {isInUse ? (
            <Badge kind="warn">in use</Badge>
          ) : (
            <Badge kind={objection === null ? 'good' : 'plain'}>
              {lastAt === 0 ? 'never used' : `quiet for ${duration(quietMs)}`}
            </Badge>
          )}
        </span>
      </div>
      <p>
        Last used <LastUse credential={credential} seen={seen} />
        {seen !== undefined && (
          <span class="soft">; {plural(seen.count, 'token')} since you opened this page</span>
        )}
        {expires !== null && (
          <span class="soft">
            ; ends <Ago at={expires} />
          </span>
        )}
        {quietFrom !== null && (
          <span class="soft">
            ; ends automatically when quiet, <Ago at={quietFrom} /> at the earliest
          </span>
        )}
      </p>
      <div class="row apart">
        <span class="hint">
          {objection === null ? 'It can be retired safely.' : `Not yet: ${sentence(objection)}`}
        </span>
        <Button small kind={objection === null ? 'danger' : 'danger-quiet'} onClick={onRetire}>
          Retire<span class="unseen"> {name}</span>
        </Button>
      </div>
    </li>
  );
}

function wasUsed(credential: CredentialJson, seen: SeenUse | undefined): boolean {
  return seen !== undefined || credential.last_used_at !== null;
}
