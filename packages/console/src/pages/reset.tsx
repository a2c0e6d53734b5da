import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { useLocation, useRoute } from 'preact-iso/router';
import type { ApiUserJson } from '../../../server/src/http/admin/api-user.wire.ts';
import type { CredentialJson } from '../../../server/src/http/admin/credential.wire.ts';
import { paths } from '../paths.ts';
import { useQuery } from '../state/query.ts';
import { useResource } from '../state/resource.ts';
import { useMay } from '../state/session.ts';
import { useLiveUse } from '../state/uses.ts';
import { Icon } from '../ui/icon.tsx';
import { Loaded } from '../ui/loaded.tsx';
import { Page } from '../ui/page.tsx';
import { SecretOnce, type ShownSecret } from '../ui/secret-once.tsx';
import { ReadOnly } from '../ui/read-only.tsx';
import { apiUserPath } from '../api/paths.ts';
import { SecretGone } from './first-secret.tsx';
import { isNoSuchApiUser, NoSuchApiUser } from './no-such-api-user.tsx';
import { ResetForm } from './reset-form.tsx';
import { WatchOld } from './watch-old.tsx';

const AGAIN_MS = 4000;

export function ResetPage(): JSX.Element {
  const { clientId = '' } = useRoute().params;
  return <Reset key={clientId} clientId={clientId} />;
}

/** The former URL of this page. */
export function FormerResetPage(): null {
  const { clientId = '' } = useRoute().params;
  const { route } = useLocation();
  useEffect(() => route(paths.reset(clientId), true), [route, clientId]);
  return null;
}

/** The URL holds the step, so that a reload shows the same one. */
const STEPS = ['make', 'secret', 'old'] as const;
type Stage = (typeof STEPS)[number];

function stageOf(step: string | undefined): Stage {
  return STEPS.find((one) => one === step) ?? 'make';
}

/** Creates a new credential, shows in real time which are in use, then ends the old ones. */
function Reset({ clientId }: { clientId: string }): JSX.Element {
  const mayWrite = useMay('operator');
  const follow = [{ noun: 'api_user', id: clientId }];
  const user = useResource<ApiUserJson>(apiUserPath(clientId), follow);
  const credentials = useResource<{ items: CredentialJson[] }>(
    `${apiUserPath(clientId)}/credentials`,
    follow,
    AGAIN_MS,
  );
  const live = useLiveUse(clientId);
  const [shown, setShown] = useState<ShownSecret | null>(null);
  const [query, setQuery] = useQuery();
  const { route } = useLocation();
  const stage = stageOf(query['step']);
  const goTo = (step: Stage) => setQuery({ step, old: '' });
  if (isNoSuchApiUser(user)) return <NoSuchApiUser clientId={clientId} />;
  const name = user.data?.name ?? 'the API user';
  const allLive = credentials.data?.items.filter(({ state }) => state === 'live') ?? [];
  // A reset leaves keys and trust rules as they are.
  const living = allLive.filter(({ kind }) => kind === 'secret' || kind === 'password');
  const hasOld = stage === 'old' || living.length > 1;
  const leave = () => {
    setShown(null);
    if (hasOld) goTo('old');
    else route(paths.apiUser(clientId), true);
  };
  const isDone = (one: Stage) => STEPS.indexOf(one) < STEPS.indexOf(stage);
  return (
    <Page
      title="Reset credentials"
      back={{ href: paths.apiUser(clientId), text: name }}
      lead="For a secret or password that was lost, forgotten, or has to change. If it may be in the wrong hands, cut it off instead."
      narrow
    >
      {!mayWrite && <ReadOnly text="An operator or admin can reset credentials." />}
      <ol class="steps">
        <Step number={1} title="Choose the new credential" isDone={isDone('make')} isNow={stage === 'make'}>
          {mayWrite && stage === 'make' && (
            <Loaded from={user} size="tall">
              {(data) => (
                <ResetForm
                  user={data}
                  living={living}
                  liveCount={allLive.length}
                  live={live}
                  ends={query['old'] === 'keep' ? 'keep' : 'quiet'}
                  onSkip={living.length > 1 ? () => goTo('old') : null}
                  onMade={({ credential: { id, kind } }, secret) => {
                    setShown({
                      clientId,
                      name,
                      credentialId: id,
                      kind: kind === 'password' ? kind : 'secret',
                      secret,
                    });
                    goTo('secret');
                    credentials.reload();
                  }}
                />
              )}
            </Loaded>
          )}
        </Step>
        <Step number={2} title="Take it to the program" isDone={isDone('secret')} isNow={stage === 'secret'}>
          {stage === 'secret' && shown === null && <SecretGone clientId={clientId} />}
          {stage === 'secret' && shown !== null && (
            <SecretOnce
              key={shown.credentialId}
              shown={shown}
              live={live}
              buttonText={
                !hasOld ? 'Done' : shown.kind === 'secret' ? 'Next: the old secret' : 'Next: the old one'
              }
              onDone={leave}
            />
          )}
        </Step>
        {(hasOld || stage === 'make') && (
          <Step number={3} title="Retire the old one when it is quiet" isDone={false} isNow={stage === 'old'}>
            {stage !== 'make' && (
              <Loaded from={credentials}>
                {() => (
                  <WatchOld clientId={clientId} living={living} live={live} onChanged={credentials.reload} />
                )}
              </Loaded>
            )}
          </Step>
        )}
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
