import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { Problem } from '../api/problem.ts';
import { plural } from '../format.ts';
import { kindText } from './credential-kind.ts';
import { CheckField } from './field.tsx';
import { Notice } from './notice.tsx';
import { Ago } from './time.tsx';

/** A change that the server refuses if callers would fail, unless the operator overrides it. */
export interface Force {
  /** The reason of the refusal; null: not refused. */
  objection: Problem | null;
  overruled: boolean;
  overrule(overruled: boolean): void;
  /** Sends the change. False: refused; another attempt may override it. */
  attempt(send: (force: boolean) => Promise<void>): Promise<boolean>;
}

export function useForce(): Force {
  const [objection, setObjection] = useState<Problem | null>(null);
  const [overruled, setOverruled] = useState(false);
  return {
    objection,
    overruled,
    overrule: setOverruled,
    async attempt(send) {
      try {
        await send(overruled);
        return true;
      } catch (error) {
        if (!(error instanceof Problem) || error.code !== 'unsafe') throw error;
        setObjection(error);
        setOverruled(false);
        return false;
      }
    },
  };
}

/** Lists the callers that would fail, with a checkbox to override. */
export function Objection({ force, label }: { force: Force; label: string }): JSX.Element | null {
  const { objection } = force;
  if (objection === null) return null;
  return (
    <>
      <Notice kind="warn" title="It is in use" alert>
        <Callers problem={objection} />
      </Notice>
      <CheckField
        label={label}
        hint="The callers that use it get no more tokens."
        checked={force.overruled}
        onInput={force.overrule}
      />
    </>
  );
}

function Callers({ problem }: { problem: Problem }): JSX.Element {
  const { inUse, message } = problem;
  if (inUse === null || inUse.credentials.length === 0) return <p class="breakable">{message}</p>;
  return (
    <>
      <ul class="consequences">
        {inUse.credentials.map(({ id, kind, name, last_used_at: at, last_used_address: address }) => (
          <li key={id}>
            The {kindText(kind)} “<span class="breakable">{name}</span>” (<code>{id}</code>) was used{' '}
            <Ago at={at} seconds />
            {address !== null && (
              <>
                {' '}
                from <code>{address}</code>
              </>
            )}
            .
          </li>
        ))}
      </ul>
      <p>
        It got {plural(inUse.tokens_last_hour, 'token')} in the last hour and{' '}
        {plural(inUse.tokens_last_day, 'token')} in the last 24 hours.
      </p>
    </>
  );
}
