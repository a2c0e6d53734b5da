import type { JSX } from 'preact';
import type { SigningKey } from '../api/types.ts';
import { SigningKeyBadge } from './badge.tsx';
import { At } from './time.tsx';

/** A sentence about a signing key's next change of state. */
export function NextOfKey({ of: key }: { of: SigningKey }): JSX.Element {
  switch (key.state) {
    case 'announced':
      return (
        <>
          Published; signs from <At at={key.activates_at} /> on
        </>
      );
    case 'active':
      return key.retires_at === null ? (
        <>
          Signs since <At at={key.activates_at} />
        </>
      ) : (
        <>
          Signs until <At at={key.retires_at} />
        </>
      );
    case 'retired':
      return (
        <>
          Signs no more; published until{' '}
          {key.removes_at === null ? 'its last token ends' : <At at={key.removes_at} />}
        </>
      );
    case 'removed':
      return (
        <>
          Neither signs tokens nor is published
          {key.removes_at !== null && (
            <>
              {' '}
              since <At at={key.removes_at} />
            </>
          )}
        </>
      );
  }
}

/** A short list of the keys that verifiers know. */
export function KeySchedule({ keys }: { keys: readonly SigningKey[] }): JSX.Element {
  const published = keys.filter(({ state }) => state !== 'removed');
  return (
    <ul class="plain-list">
      {published.map((key) => (
        <li class="row" key={key.kid}>
          <SigningKeyBadge state={key.state} />
          <code title={key.kid}>{key.kid.slice(0, 10)}…</code>
          <span class="soft">{key.algorithm}</span>
          <span class="push soft small">
            <NextOfKey of={key} />
          </span>
        </li>
      ))}
    </ul>
  );
}
