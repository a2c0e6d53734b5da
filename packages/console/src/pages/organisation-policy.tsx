import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { useLocation, useRoute } from 'preact-iso/router';
import type { PolicyRecord } from '../../../server/src/domain/organisation-record.ts';
import { post, request } from '../api/client.ts';
import type { OrganisationJson, ViolationJson } from '../../../server/src/http/admin/organisation.wire.ts';
import { Problem } from '../api/problem.ts';
import { paths } from '../paths.ts';
import { announce } from '../state/announce.ts';
import { useSettled } from '../state/clock.ts';
import { useResource } from '../state/resource.ts';
import { useMay } from '../state/session.ts';
import { useAction } from '../ui/action.ts';
import { LinkButton } from '../ui/button.tsx';
import { Form, FormEnd } from '../ui/form.tsx';
import { Loaded, Skeleton } from '../ui/loaded.tsx';
import { Failure, Notice } from '../ui/notice.tsx';
import { Page } from '../ui/page.tsx';
import { ReadOnly } from '../ui/read-only.tsx';
import { isNoSuchOrganisation, NoSuchOrganisation, organisationPath } from './organisation.tsx';
import { PolicyFields } from './policy-fields.tsx';
import { ViolationList } from './violations.tsx';

export function OrganisationPolicyPage(): JSX.Element {
  const { organisationId: id = '' } = useRoute().params;
  return <EditPolicy key={id} id={id} />;
}

function EditPolicy({ id }: { id: string }): JSX.Element {
  const isAdmin = useMay('admin');
  // Not followed: the form must not change during editing. The server reports conflicting changes.
  const organisation = useResource<OrganisationJson>(organisationPath(id));
  if (isNoSuchOrganisation(organisation)) return <NoSuchOrganisation id={id} />;
  return (
    <Page
      title="Edit the policy"
      lead={organisation.data?.name}
      back={{ href: paths.organisation(id), text: organisation.data?.name ?? 'Organisation' }}
      narrow
    >
      {isAdmin ? (
        <Loaded from={organisation} size="tall">
          {(data) =>
            organisation.loading ? (
              <Skeleton size="tall" />
            ) : (
              <PolicyForm key={organisation.etag} organisation={data} etag={organisation.etag} />
            )
          }
        </Loaded>
      ) : (
        <ReadOnly text="An admin can change policies." />
      )}
    </Page>
  );
}

function PolicyForm(props: { organisation: OrganisationJson; etag: string | null }): JSX.Element {
  const { organisation, etag } = props;
  const { route } = useLocation();
  const path = organisationPath(organisation.id);
  const [policy, setPolicy] = useState<PolicyRecord>(organisation.policy);
  const check = usePolicyCheck(path, policy, organisation.policy);
  const action = useAction(async () => {
    await request('PATCH', path, { body: { policy }, ifMatch: etag });
    announce(`Saved the policy of ${organisation.name}.`);
    route(paths.organisation(organisation.id), true);
    scrollTo(0, 0);
  });
  const errorOf = (member: string) =>
    action.errorOf(`policy/${member}`) ?? check.problem?.of(`policy/${member}`) ?? null;
  const willEnd = policy.violations === 'end' && check.violations.length > 0;
  return (
    <Form onSubmit={() => action.run()} class="card">
      <PolicyFields
        policy={policy}
        onChange={(change) => setPolicy((before) => ({ ...before, ...change }))}
        errorOf={errorOf}
      />
      <div aria-live="polite">
        {check.violations.length > 0 && (
          <Notice
            kind={willEnd ? 'danger' : 'warn'}
            title={willEnd ? 'Saving ends this' : 'This policy forbids what there is now'}
          >
            <ViolationList items={check.violations} />
            {check.hasMore && <p>And more.</p>}
          </Notice>
        )}
      </div>
      {action.error === undefined && check.problem?.errors.length === 0 && <Failure error={check.problem} />}
      <FormEnd action={action} verb="Save the policy" kind={willEnd ? 'danger' : 'primary'}>
        <LinkButton kind="quiet" href={paths.organisation(organisation.id)}>
          Cancel
        </LinkButton>
      </FormEnd>
    </Form>
  );
}

interface PolicyCheck {
  violations: readonly ViolationJson[];
  hasMore: boolean;
  /** The faults of the policy itself. */
  problem: Problem | null;
}

const NOTHING: PolicyCheck = { violations: [], hasMore: false, problem: null };
const TYPING_MS = 400;

/** What the policy would forbid, asked after each pause in typing. Nothing is saved. */
function usePolicyCheck(path: string, policy: PolicyRecord, saved: PolicyRecord): PolicyCheck {
  const [result, setResult] = useState<PolicyCheck>(NOTHING);
  const settled = useSettled(policy, TYPING_MS);
  const isChanged = JSON.stringify(settled) !== JSON.stringify(saved);
  useEffect(() => {
    if (!isChanged) {
      setResult(NOTHING);
      return undefined;
    }
    const aborter = new AbortController();
    post<{ items: ViolationJson[]; next: string | null }>(
      `${path}/policy-check`,
      { policy: settled },
      { signal: aborter.signal },
    ).then(
      ({ items, next }) => setResult({ violations: items, hasMore: next !== null, problem: null }),
      (error: unknown) => {
        if (!aborter.signal.aborted)
          setResult({ ...NOTHING, problem: error instanceof Problem ? error : null });
      },
    );
    return () => aborter.abort();
  }, [path, settled, isChanged]);
  return result;
}
