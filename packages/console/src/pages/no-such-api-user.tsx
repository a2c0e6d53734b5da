import type { JSX } from 'preact';
import { Problem } from '../api/problem.ts';
import { paths } from '../paths.ts';
import { site } from '../site.ts';
import { useMay } from '../state/session.ts';
import { Empty } from '../ui/notice.tsx';
import { Page } from '../ui/page.tsx';

/** Whether the error says that the API user does not exist or that its id is invalid. */
export function isNoSuchApiUser({ error }: { error: unknown }): boolean {
  return error instanceof Problem && [400, 404].includes(error.status);
}

/** Replaces every page of an API user that does not exist. */
export function NoSuchApiUser({ clientId }: { clientId: string }): JSX.Element {
  const mayReadAudit = useMay(site.kind === 'console' ? 'viewer' : 'admin');
  return (
    <Page title="There is no such API user" back={{ href: paths.apiUsers, text: 'API users' }}>
      <Empty icon="search" title="No API user has this client id">
        <p>
          <code class="breakable">{clientId}</code> may have been deleted
          {mayReadAudit ? (
            <>
              : <a href={paths.audit}>the audit log</a> shows by whom.
            </>
          ) : (
            '.'
          )}
        </p>
      </Empty>
    </Page>
  );
}
