import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { useLocation, useRoute } from 'preact-iso/router';
import { newIdempotencyKey, post } from '../api/client.ts';
import type { ApiUser, Credential, MadeSecret } from '../api/types.ts';
import { paths } from '../paths.ts';
import { useQuery } from '../state/query.ts';
import { useResource } from '../state/resource.ts';
import { useMay } from '../state/session.ts';
import { useLiveUse } from '../state/uses.ts';
import { useAction } from '../ui/action.ts';
import { Button, LinkButton } from '../ui/button.tsx';
import { ExpiryField, expiryOf } from '../ui/expiry.tsx';
import { ChoiceField, TextField } from '../ui/field.tsx';
import { Form } from '../ui/form.tsx';
import { Icon } from '../ui/icon.tsx';
import { Loaded } from '../ui/loaded.tsx';
import { Failure, Notice } from '../ui/notice.tsx';
import { Page } from '../ui/page.tsx';
import { SecretOnce, type ShownSecret } from '../ui/secret-once.tsx';
import { apiUserPath } from '../api/paths.ts';
import { SecretGone } from './first-secret.tsx';
import { isNoSuchApiUser, NoSuchApiUser } from './no-such-api-user.tsx';
import { WatchOld } from './watch-old.tsx';

const AGAIN_MS = 4000;

export function ResetPage(): JSX.Element {
  const { clientId = '' } = useRoute().params;
  return <Reset key={clientId} clientId={clientId} />;
}

/** The address of this page before it was called Reset. */
export function FormerResetPage(): null {
  const { clientId = '' } = useRoute().params;
  const { route } = useLocation();
  useEffect(() => route(paths.reset(clientId), true), [route, clientId]);
  return null;
}

/** The step is in the address, so that a reload shows the same one. */
const STEPS = ['make', 'secret', 'old'] as const;
type Stage = (typeof STEPS)[number];

function stageOf(step: string | undefined): Stage {
  return STEPS.find((one) => one === step) ?? 'make';
}

/** A new secret beside the old ones; then, in real time, which of them is still used; then the end of the old ones. */
function Reset({ clientId }: { clientId: string }): JSX.Element {
  const mayWrite = useMay('operator');
  const follow = [{ noun: 'api_user', id: clientId }];
  const user = useResource<ApiUser>(apiUserPath(clientId), follow);
  const credentials = useResource<{ items: Credential[] }>(
    `${apiUserPath(clientId)}/credentials`,
    follow,
    AGAIN_MS,
  );
  const live = useLiveUse(clientId);
  const [shown, setShown] = useState<ShownSecret | null>(null);
  const [query, setQuery] = useQuery();
  const stage = stageOf(query['step']);
  const goTo = (step: Stage) => setQuery({ step });
  if (isNoSuchApiUser(user)) return <NoSuchApiUser clientId={clientId} />;
  const name = user.data?.name ?? 'the API user';
  const living = credentials.data?.items.filter(({ state }) => state === 'live') ?? [];
  const isDone = (one: Stage) => STEPS.indexOf(one) < STEPS.indexOf(stage);
  return (
    <Page
      title={`New secret for ${name}`}
      back={{ href: paths.apiUser(clientId), text: name }}
      lead="The old one goes on working until you retire it: nobody stands still meanwhile."
      narrow
    >
      {!mayWrite && (
        <Notice title="Your role only reads">
          <p>An operator or admin can make secrets.</p>
        </Notice>
      )}
      <ol class="steps">
        <Step number={1} title="Make a new secret" isDone={isDone('make')} isNow={stage === 'make'}>
          {mayWrite && stage === 'make' && (
            <MakeForm
              clientId={clientId}
              living={living}
              onSkip={living.length > 1 ? () => goTo('old') : null}
              onMade={({ credential, client_secret: secret }) => {
                setShown({ clientId, name, credentialId: credential.id, secret });
                goTo('secret');
                credentials.reload();
              }}
            />
          )}
        </Step>
        <Step number={2} title="Take it to the program" isDone={isDone('secret')} isNow={stage === 'secret'}>
          {stage === 'secret' && shown === null && <SecretGone clientId={clientId} />}
          {stage === 'secret' && shown !== null && (
            <SecretOnce
              key={shown.credentialId}
              shown={shown}
              live={live}
              done="Next: the old secret"
              onDone={() => {
                setShown(null);
                goTo('old');
              }}
            />
          )}
        </Step>
        <Step number={3} title="Retire the old one when it is quiet" isDone={false} isNow={stage === 'old'}>
          {(stage === 'old' || (stage === 'secret' && living.length > 1)) && (
            <Loaded from={credentials}>
              {({ items }) => (
                <WatchOld clientId={clientId} items={items} live={live} onChanged={credentials.reload} />
              )}
            </Loaded>
          )}
        </Step>
      </ol>
    </Page>
  );
}

function Step(props: {
  number: number;
  title: string;
  isDone: boolean;
  isNow: boolean;
  children: ComponentChildren;
}): JSX.Element {
  const { number, title, isDone, isNow, children } = props;
  const state = isDone ? 'done' : isNow ? 'now' : 'later';
  return (
    <li class={`card step ${state}`} aria-current={isNow ? 'step' : undefined}>
      <h2 class="step-title">
        <span class="step-mark">{isDone ? <Icon name="check" /> : number}</span>
        {title}
        {isDone && <span class="unseen"> (done)</span>}
      </h2>
      {children}
    </li>
  );
}

/** What becomes of the old secrets: the operator retires them, or time does. */
type Overlap = 'watch' | '86400' | '604800';

const LIVE_MAX = 5;

function MakeForm(props: {
  clientId: string;
  living: readonly Credential[];
  onMade: (made: MadeSecret) => void;
  onSkip: (() => void) | null;
}): JSX.Element {
  const { clientId, living, onMade, onSkip } = props;
  const [name, setName] = useState('');
  const [days, setDays] = useState('');
  const [overlap, setOverlap] = useState<Overlap>('watch');
  const attempt = useRef(newIdempotencyKey());
  const action = useAction(async () => {
    const body = { name: name.trim(), ...expiryOf(days) };
    const path = apiUserPath(clientId);
    onMade(
      overlap === 'watch'
        ? await post<MadeSecret>(`${path}/credentials`, body, { idempotencyKey: attempt.current })
        : await post<MadeSecret>(`${path}/reset`, { ...body, overlap_seconds: Number(overlap) }),
    );
  });
  const change = <T,>(set: (value: T) => void) => {
    return (value: T) => {
      attempt.current = newIdempotencyKey();
      set(value);
    };
  };
  const isFull = living.length >= LIVE_MAX;
  return (
    <Form onSubmit={() => action.run()}>
      {isFull && (
        <Notice kind="warn" title={`It has ${living.length} live credentials, the most there may be`}>
          <p>Retire one of them first, below.</p>
        </Notice>
      )}
      <TextField
        label="Name of the new secret"
        hint="Where it will be deployed: “production, cluster 2”."
        value={name}
        onInput={change(setName)}
        error={action.errorOf('name')}
        required
        maxLength={200}
      />
      <ExpiryField days={days} onInput={change(setDays)} error={action.errorOf('expires_at')} />
      {living.length > 0 && (
        <ChoiceField<Overlap>
          label="The old secret works"
          value={overlap}
          onInput={change(setOverlap)}
          choices={[
            {
              value: 'watch',
              text: 'until I retire it',
              hint: 'You see here when nobody uses it any more. The safe way.',
            },
            { value: '86400', text: 'for 24 hours more', hint: 'Then it ends, whoever still uses it.' },
            { value: '604800', text: 'for 7 days more', hint: 'Then it ends, whoever still uses it.' },
          ]}
        />
      )}
      <Failure error={action.error} />
      <div class="form-actions">
        <Button kind="primary" type="submit" busy={action.busy} disabled={isFull}>
          Make the secret
        </Button>
        {onSkip !== null && (
          <Button kind="quiet" onClick={onSkip}>
            I have it: watch the old one
          </Button>
        )}
        <LinkButton kind="quiet" href={paths.apiUser(clientId)}>
          Cancel
        </LinkButton>
      </div>
    </Form>
  );
}
