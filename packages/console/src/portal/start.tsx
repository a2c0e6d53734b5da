import type { JSX } from 'preact';
import { compact, whole } from '../format.ts';
import type { PortalOrganisationJson } from '../../../server/src/http/portal/organisation.wire.ts';
import { ApiUserList, NEW_API_USER, useApiUserSearch } from '../pages/api-user-list.tsx';
import { paths } from '../paths.ts';
import { organisation } from '../state/organisation.ts';
import { useMay } from '../state/session.ts';
import { useStore } from '../state/store.ts';
import { LinkButton } from '../ui/button.tsx';
import { Icon, type IconName } from '../ui/icon.tsx';
import { Notice } from '../ui/notice.tsx';
import { Page } from '../ui/page.tsx';

/** The start page of an organisation: its API users, and the ways to help oneself. */
export function StartPage(): JSX.Element | null {
  const shown = useStore(organisation);
  const mayWrite = useMay('operator');
  const search = useApiUserSearch();
  if (shown === null) return null;
  const isFull = shown.counts.api_users >= shown.policy.api_users_max;
  return (
    <Page
      title={shown.name}
      lead="The programs of your organisation that call the APIs."
      actions={
        mayWrite &&
        !isFull && (
          <LinkButton kind="primary" icon="plus" href={paths.newApiUser}>
            {NEW_API_USER}
          </LinkButton>
        )
      }
    >
      {isFull && mayWrite && (
        <Notice
          title={`Your organisation has ${whole(shown.counts.api_users)} API users, the most it may have`}
        >
          <p>Delete one that nothing uses any more, or ask the operator of the platform for more.</p>
        </Notice>
      )}
      <Tiles of={shown} />
      <nav class="ways" aria-label="Help yourself">
        {mayWrite && (
          <Shortcut
            href={paths.forgotten}
            icon="rotate"
            title="Forgot your credentials?"
            text="Reset them: a new secret, while the old one still works."
          />
        )}
        <Shortcut
          href={paths.refusedRequests}
          icon="stop"
          title="Why was my call refused?"
          text="The refused calls of the last 24 hours, with the reason."
        />
      </nav>
      <ApiUserList of={search} />
    </Page>
  );
}

function Shortcut(props: { href: string; icon: IconName; title: string; text: string }): JSX.Element {
  const { href, icon, title, text } = props;
  return (
    <a class="card way" href={href}>
      <Icon name={icon} size={22} />
      <span>
        <strong>{title}</strong>
        <span class="hint block">{text}</span>
      </span>
    </a>
  );
}

function Tiles({ of: { policy, counts, tokens } }: { of: PortalOrganisationJson }): JSX.Element {
  const { quota, limit_per_minute: limit } = policy;
  return (
    <dl class="tiles">
      <div class="tile">
        <dt>API users</dt>
        <dd>{whole(counts.api_users)}</dd>
        <dd>
          of {whole(policy.api_users_max)}
          {counts.api_users_enabled < counts.api_users && (
            <>, {whole(counts.api_users - counts.api_users_enabled)} disabled</>
          )}
        </dd>
      </div>
      <QuotaTile name="Tokens this hour" used={tokens.hour} quota={quota.tokens_per_hour} mode={quota.mode} />
      <QuotaTile name="Tokens today (UTC)" used={tokens.day} quota={quota.tokens_per_day} mode={quota.mode} />
      <div class="tile">
        <dt>Limit</dt>
        <dd>{limit === null ? 'none' : compact(limit)}</dd>
        <dd>{limit === null ? 'for all API users together' : 'calls a minute, all together'}</dd>
      </div>
    </dl>
  );
}

function QuotaTile(props: {
  name: string;
  used: number;
  quota: number | null;
  mode: 'observe' | 'enforce';
}): JSX.Element {
  const { name, used, quota, mode } = props;
  const isOver = quota !== null && used >= quota;
  return (
    <div class="tile">
      <dt>{name}</dt>
      <dd>{compact(used)}</dd>
      <dd class={isOver ? 'refused' : undefined}>
        {quota === null
          ? 'no quota'
          : isOver && mode === 'enforce'
            ? `the quota of ${compact(quota)} is used up`
            : `of ${compact(quota)}${mode === 'observe' ? ', not enforced' : ''}`}
      </dd>
    </div>
  );
}
