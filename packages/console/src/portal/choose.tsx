import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { CONSOLE_PATH } from '../../../server/src/http/public/console-pages.ts';
import type { MembershipJson } from '../../../server/src/http/admin/session.wire.ts';
import { paths } from '../paths.ts';
import { useActor, useOwnOrganisations } from '../state/session.ts';
import { Badge, RoleBadge } from '../ui/badge.tsx';
import { LinkButton } from '../ui/button.tsx';
import { Empty } from '../ui/notice.tsx';
import { Page } from '../ui/page.tsx';

/** The organisations of the person signed in. With a single one, its start page opens at once. */
export function ChoosePage(): JSX.Element | null {
  const organisations = useOwnOrganisations();
  const actor = useActor();
  const only = organisations.length === 1 ? organisations[0] : undefined;
  const opensAt =
    only === undefined || (only.second_factor_required && actor?.second_factor === false)
      ? null
      : paths.portalOf(only.id);
  useEffect(() => {
    if (opensAt !== null) location.replace(opensAt);
  }, [opensAt]);
  if (opensAt !== null) return null;
  return (
    <Page title="Your organisations" narrow>
      {organisations.length === 0 ? (
        <None />
      ) : (
        <section class="card flush" aria-label="Organisations">
          <table class="table hoverable">
            <thead>
              <tr>
                <th scope="col">Organisation</th>
                <th scope="col">Your role</th>
              </tr>
            </thead>
            <tbody>
              {organisations.map((one) => (
                <Row key={one.id} organisation={one} />
              ))}
            </tbody>
          </table>
        </section>
      )}
    </Page>
  );
}

function Row({ organisation: { id, name, role, second_factor_required } }: { organisation: MembershipJson }) {
  const actor = useActor();
  return (
    <tr>
      <th scope="row">
        <div class="name-cell">
          <a href={paths.portalOf(id)}>{name}</a>
          {second_factor_required && actor?.second_factor === false && (
            <span>
              <Badge kind="warn">needs a second factor</Badge> <a href={paths.profile}>Set it up</a>
            </span>
          )}
        </div>
      </th>
      <td data-label="Your role" class="fit">
        <RoleBadge role={role} />
      </td>
    </tr>
  );
}

function None(): JSX.Element {
  const actor = useActor();
  const isOperator = actor !== null && actor.role !== 'none';
  return (
    <section class="card">
      <Empty icon="users" title="You are a member of no organisation">
        {isOperator ? (
          <>
            <p>You are an operator: in the console you see every organisation.</p>
            <LinkButton kind="primary" href={CONSOLE_PATH}>
              Go to the console
            </LinkButton>
          </>
        ) : (
          <p>
            An admin of your organisation, or the operator of the platform, invites you with a link. Your
            organisation may also be disabled.
          </p>
        )}
      </Empty>
    </section>
  );
}
