import type { ComponentChildren, JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import type { PortalOrganisationJson } from '../../../server/src/http/portal/organisation.wire.ts';
import { Problem } from '../api/problem.ts';
import { Door } from '../pages/sign-in.tsx';
import { paths } from '../paths.ts';
import { organisation } from '../state/organisation.ts';
import { useResource } from '../state/resource.ts';
import { useStore } from '../state/store.ts';
import { Button, LinkButton } from '../ui/button.tsx';
import { Failure } from '../ui/notice.tsx';
import { SignOutButton } from '../ui/shell.tsx';

/** Shows the pages of an organisation once it is known what the person may do there. */
export function OrganisationGate({ children }: { children: ComponentChildren }): JSX.Element | null {
  const { data, error, loading, reload } = useResource<PortalOrganisationJson>('', [{ noun: '*' }]);
  const shown = useStore(organisation);
  useEffect(() => {
    if (data !== undefined) organisation.set(data);
  }, [data]);
  const isOut = error instanceof Problem && (error.status === 403 || error.status === 404);
  if (shown !== null && !isOut) return <>{children}</>;
  if (error === undefined) return null;
  if (error instanceof Problem && error.status === 404) return <NoOrganisation />;
  if (error instanceof Problem && error.status === 403) return <NeedsSecondFactor problem={error} />;
  return (
    <Door title="Server unavailable">
      <Failure error={error} />
      <div>
        <Button kind="primary" busy={loading} onClick={reload}>
          Try again
        </Button>
      </div>
    </Door>
  );
}

function NoOrganisation(): JSX.Element {
  return (
    <Door title="There is no such organisation">
      <p>
        You are not one of its members, or it does not exist. If you were a member, ask its admins or the
        operator of the platform.
      </p>
      <div class="row">
        <LinkButton kind="primary" href={paths.portal}>
          Your organisations
        </LinkButton>
        <SignOutButton />
      </div>
    </Door>
  );
}

function NeedsSecondFactor({ problem }: { problem: Problem }): JSX.Element {
  return (
    <Door title="One more step">
      <p class="breakable">{problem.message}</p>
      <div class="row">
        <LinkButton kind="primary" href={`${paths.portal}/profile`}>
          Go to your profile
        </LinkButton>
        <SignOutButton />
      </div>
    </Door>
  );
}
