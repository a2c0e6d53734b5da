import type { JSX } from 'preact';
import type { CredentialJson } from '../../../server/src/http/admin/credential.wire.ts';
import type { KeySourceJson } from '../../../server/src/http/admin/key-source.wire.ts';
import { apiUserPath } from '../api/paths.ts';
import { plural, sentence, whole } from '../format.ts';
import { useResource } from '../state/resource.ts';
import { Loaded } from '../ui/loaded.tsx';
import { Notice } from '../ui/notice.tsx';
import { Card } from '../ui/page.tsx';
import { Ago } from '../ui/time.tsx';

const AGAIN_MS = 5000;

/** The state of the public keys that Mintmark fetches for a key or trust rule. */
export function KeySource({ credential }: { credential: CredentialJson }): JSX.Element | null {
  const { id, client_id: clientId, jwks_url: url, trust_rule: rule } = credential;
  const isFetched = url !== undefined || (rule !== undefined && rule.keys.from !== 'inline');
  const path = isFetched ? `${apiUserPath(clientId)}/key-sources` : null;
  const sources = useResource<{ items: KeySourceJson[] }>(path, [], AGAIN_MS);
  if (!isFetched) return null;
  return (
    <Card title={rule === undefined ? 'Its key set' : 'Keys of the issuer'}>
      <Loaded from={sources} size="line">
        {({ items }) => {
          const source = items.find(({ credential_ids: ids }) => ids.includes(id));
          return source === undefined ? (
            <p class="soft">The server has not fetched them yet.</p>
          ) : (
            <State source={source} />
          );
        }}
      </Loaded>
    </Card>
  );
}

function State({ source }: { source: KeySourceJson }): JSX.Element {
  const { address, state, keys, left_out: leftOut, fetched_at: fetchedAt } = source;
  return (
    <div class="stack tight">
      {fetchedAt !== null && state !== 'away' && (
        <p class="breakable">
          {plural(keys, 'key')} of {address}, fetched <Ago at={fetchedAt} />.
          {leftOut > 0 && ` ${whole(leftOut)} more there cannot be used, because of type or length.`}
        </p>
      )}
      <Trouble source={source} />
    </div>
  );
}

const TROUBLES = {
  current: {
    kind: 'warn',
    title: 'The last fetch failed',
    text: 'The keys are fresh, and Mintmark tries again. Callers notice nothing.',
  },
  old: {
    kind: 'warn',
    title: 'The keys are old',
    text: 'No fetch has succeeded for a while. Mintmark goes on with these keys for a limited time, and tries again.',
  },
  away: {
    kind: 'danger',
    title: 'There are no keys',
    text: 'Requests with its tokens are refused until a fetch succeeds.',
  },
} as const;

function Trouble({ source }: { source: KeySourceJson }): JSX.Element | null {
  const { state, error, tried_at: triedAt } = source;
  if (state === 'current' && error === null) return null;
  const { kind, title, text } = TROUBLES[state];
  return (
    <Notice kind={kind} title={title}>
      <p>{text}</p>
      {error !== null && (
        <p class="breakable">
          The last fetch, <Ago at={triedAt} />: {sentence(error)}
        </p>
      )}
    </Notice>
  );
}
