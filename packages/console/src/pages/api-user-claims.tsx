import type { JSX } from 'preact';
import { useLocation, useRoute } from 'preact-iso/router';
import type { ApiUserJson } from '../../../server/src/http/admin/api-user.wire.ts';
import { request } from '../api/client.ts';
import { apiUserPath } from '../api/paths.ts';
import { paths } from '../paths.ts';
import { announce } from '../state/announce.ts';
import { useResource } from '../state/resource.ts';
import { useMay } from '../state/session.ts';
import { Loaded, Skeleton } from '../ui/loaded.tsx';
import { Page } from '../ui/page.tsx';
import { TokenSettingsForm, type TokenSettings } from '../ui/token-settings.tsx';
import { ReadOnly } from '../ui/read-only.tsx';
import { isNoSuchApiUser, NoSuchApiUser } from './no-such-api-user.tsx';

export function ApiUserClaimsPage(): JSX.Element {
  const { clientId = '' } = useRoute().params;
  return <EditClaims key={clientId} clientId={clientId} />;
}

function EditClaims({ clientId }: { clientId: string }): JSX.Element {
  const mayWrite = useMay('operator');
  const { route } = useLocation();
  const user = useResource<ApiUserJson>(apiUserPath(clientId));
  if (isNoSuchApiUser(user)) return <NoSuchApiUser clientId={clientId} />;
  const save = async (body: TokenSettings) => {
    await request('PATCH', apiUserPath(clientId), { body, ifMatch: user.etag });
    announce('Saved. New tokens have it within a second.');
    route(paths.apiUser(clientId), true);
  };
  return (
    <Page
      title="Claims and life of its tokens"
      lead="They win over those of its organisation and of the audience."
      back={{ href: paths.apiUser(clientId), text: user.data?.name ?? 'API user' }}
      narrow
    >
      {mayWrite ? (
        <Loaded from={user} size="tall">
          {(data) =>
            user.loading ? (
              <Skeleton size="tall" />
            ) : (
              <TokenSettingsForm
                key={user.etag}
                of={{ client_id: clientId }}
                settings={data}
                claimsHint="Names and JSON values, the same in each of its tokens."
                lifeHint="In seconds. Empty: that of its organisation, audience or the server."
                pointers={{ claims: 'claims', life: 'token_life_seconds' }}
                onSave={save}
                backHref={paths.apiUser(clientId)}
              />
            )
          }
        </Loaded>
      ) : (
        <ReadOnly text="An operator or admin can change claims." />
      )}
    </Page>
  );
}
