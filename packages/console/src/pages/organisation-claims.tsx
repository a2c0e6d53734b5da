import type { JSX } from 'preact';
import { useLocation, useRoute } from 'preact-iso/router';
import { request } from '../api/client.ts';
import type { OrganisationJson } from '../../../server/src/http/admin/organisation.wire.ts';
import { paths } from '../paths.ts';
import { announce } from '../state/announce.ts';
import { useResource } from '../state/resource.ts';
import { Loaded, Skeleton } from '../ui/loaded.tsx';
import { Page } from '../ui/page.tsx';
import { TokenSettingsForm, type TokenSettings } from '../ui/token-settings.tsx';
import { isNoSuchOrganisation, NoSuchOrganisation, organisationPath } from './organisation.tsx';

export function OrganisationClaimsPage(): JSX.Element {
  const { organisationId: id = '' } = useRoute().params;
  return <EditClaims key={id} id={id} />;
}

function EditClaims({ id }: { id: string }): JSX.Element {
  const { route } = useLocation();
  const organisation = useResource<OrganisationJson>(organisationPath(id));
  if (isNoSuchOrganisation(organisation)) return <NoSuchOrganisation id={id} />;
  const { etag } = organisation;
  const save = async ({ claims, token_life_seconds }: TokenSettings) => {
    await request('PATCH', organisationPath(id), {
      body: { claims, policy: { token_life_seconds } },
      ifMatch: etag,
    });
    announce('Saved. New tokens have it within a second.');
    route(paths.organisation(id), true);
  };
  return (
    <Page
      title="Claims and life of its tokens"
      lead="For all API users of the organisation. What an API user has itself wins."
      back={{ href: paths.organisation(id), text: organisation.data?.name ?? 'Organisation' }}
      narrow
    >
      <Loaded from={organisation} size="tall">
        {({ claims, policy }) =>
          organisation.loading ? (
            <Skeleton size="tall" />
          ) : (
            <TokenSettingsForm
              key={etag}
              of={{ organisation_id: id }}
              settings={{ claims, token_life_seconds: policy.token_life_seconds }}
              claimsHint="Names and JSON values, the same in each token. Every token has org_id already."
              lifeHint="In seconds. Empty: that of the audience or the server."
              pointers={{ claims: 'claims', life: 'policy/token_life_seconds' }}
              onSave={save}
              backHref={paths.organisation(id)}
            />
          )
        }
      </Loaded>
    </Page>
  );
}
