import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { useLocation, useRoute } from 'preact-iso/router';
import { apiUserPath } from '../api/paths.ts';
import type { ApiUserJson } from '../../../server/src/http/admin/api-user.wire.ts';
import { paths } from '../paths.ts';
import { site } from '../site.ts';
import { takeOver } from '../state/hand-over.ts';
import { useResource } from '../state/resource.ts';
import { useLiveUse } from '../state/uses.ts';
import { LinkButton } from '../ui/button.tsx';
import { Notice } from '../ui/notice.tsx';
import { Page } from '../ui/page.tsx';
import { isNoSuchApiUser, NoSuchApiUser } from './no-such-api-user.tsx';
import { SecretOnce, type ShownSecret } from '../ui/secret-once.tsx';

/** Shows a new API user's client id and first secret, once. */
export function FirstSecretPage(): JSX.Element {
  const { clientId = '' } = useRoute().params;
  return <FirstSecret key={clientId} clientId={clientId} />;
}

function FirstSecret({ clientId }: { clientId: string }): JSX.Element {
  const [shown] = useState(() => takeOver(clientId));
  const user = useResource<ApiUserJson>(shown === null ? apiUserPath(clientId) : null);
  if (shown !== null) return <Ready shown={shown} />;
  if (isNoSuchApiUser(user)) return <NoSuchApiUser clientId={clientId} />;
  return (
    <Page
      title="First secret"
      back={{ href: paths.apiUser(clientId), text: user.data?.name ?? 'API user' }}
      narrow
    >
      <SecretGone clientId={clientId} />
    </Page>
  );
}

function Ready({ shown }: { shown: ShownSecret }): JSX.Element {
  const { route } = useLocation();
  const live = useLiveUse(shown.clientId);
  const next = site.kind === 'console' ? paths.apiUser : paths.quickstart;
  const leave = () => route(next(shown.clientId), true);
  return (
    <Page title={`${shown.name} is ready`} lead="Its client id and its first secret." narrow>
      <section class="card" aria-label="Client id and secret">
        <SecretOnce
          shown={shown}
          live={live}
          buttonText={site.kind === 'console' ? 'Done' : 'Next: the program'}
          onDone={leave}
        />
      </section>
    </Page>
  );
}

/** Replaces a secret after a reload of the page. */
export function SecretGone({ clientId }: { clientId: string }): JSX.Element {
  return (
    <Notice title="The secret was shown once">
      <p>It cannot be shown again. If it was not stored, reset the credentials to get a new one.</p>
      <div class="row">
        <LinkButton small href={paths.reset(clientId)}>
          Reset credentials
        </LinkButton>
        <LinkButton small href={paths.apiUser(clientId)}>
          Go to the API user
        </LinkButton>
      </div>
    </Notice>
  );
}
