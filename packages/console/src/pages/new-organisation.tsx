import type { JSX } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { useLocation } from 'preact-iso/router';
import { DEFAULT_POLICY } from '../../../server/src/domain/organisation.ts';
import { policyRecord, type PolicyRecord } from '../../../server/src/domain/organisation-record.ts';
import { newIdempotencyKey, post } from '../api/client.ts';
import type { OrganisationJson } from '../../../server/src/http/admin/organisation.wire.ts';
import { paths } from '../paths.ts';
import { announce } from '../state/announce.ts';
import { useMay } from '../state/session.ts';
import { useAction } from '../ui/action.ts';
import { LinkButton } from '../ui/button.tsx';
import { Form, FormEnd } from '../ui/form.tsx';
import { Page } from '../ui/page.tsx';
import { ReadOnly } from '../ui/read-only.tsx';
import { NO_NAMES, OrganisationNames, type Names } from './organisation-names.tsx';
import { PolicyFields } from './policy-fields.tsx';

const BACK = { href: paths.organisations, text: 'Organisations' };

export function NewOrganisationPage(): JSX.Element {
  const isAdmin = useMay('admin');
  return (
    <Page
      title="New organisation"
      lead="An advertiser, an agency or a team. Next, you invite its first member."
      back={BACK}
      narrow
    >
      {isAdmin ? <CreateForm /> : <ReadOnly text="An admin can create organisations." />}
    </Page>
  );
}

function CreateForm(): JSX.Element {
  const { route } = useLocation();
  const [names, setNames] = useState<Names>(NO_NAMES);
  const [policy, setPolicy] = useState<PolicyRecord>(() => policyRecord(DEFAULT_POLICY));
  // The same key for each attempt, so that a lost response does not create a second organisation.
  const attempt = useRef({ key: newIdempotencyKey(), body: '' });
  const action = useAction(async () => {
    const body = { ...names, name: names.name.trim(), policy };
    const text = JSON.stringify(body);
    if (attempt.current.body !== text) attempt.current = { key: newIdempotencyKey(), body: text };
    const options = { idempotencyKey: attempt.current.key };
    const { id, name } = await post<OrganisationJson>('/organisations', body, options);
    announce(`Created ${name}.`);
    route(paths.organisation(id), true);
    scrollTo(0, 0);
  });
  return (
    <Form onSubmit={() => action.run()} class="card">
      <OrganisationNames
        names={names}
        onChange={(change) => setNames((before) => ({ ...before, ...change }))}
        errorOf={action.errorOf}
        autofocus
      />
      <h2>Policy</h2>
      <PolicyFields
        policy={policy}
        onChange={(change) => setPolicy((before) => ({ ...before, ...change }))}
        errorOf={(member) => action.errorOf(`policy/${member}`)}
      />
      <FormEnd action={action} verb="Create">
        <LinkButton kind="quiet" href={paths.organisations}>
          Cancel
        </LinkButton>
      </FormEnd>
    </Form>
  );
}
