import type { JSX } from 'preact';
import type { AuditEntryJson, AuditSubjectJson } from '../../../server/src/http/admin/audit-entry.wire.ts';
import { CREDENTIAL_KINDS } from '../../../server/src/domain/credential.ts';
import { capital, cut, whole } from '../format.ts';
import { paths } from '../paths.ts';
import { site } from '../site.ts';
import { kindText } from './credential-kind.ts';
import { Badge } from './badge.tsx';
import { Ago, At } from './time.tsx';

/** Entries of the audit log, newest first. Each opens to show its changes. */
export function AuditList(props: { entries: readonly AuditEntryJson[]; none: string }): JSX.Element {
  const { entries, none } = props;
  if (entries.length === 0) return <p class="soft">{none}</p>;
  return (
    <ol class="audit">
      {entries.map((entry) => (
        <Entry key={entry.n} entry={entry} />
      ))}
    </ol>
  );
}

function Entry({ entry }: { entry: AuditEntryJson }): JSX.Element {
  const { n, at, actor, action, outcome, subject, reason, hash, related } = entry;
  const about = related === null || related.id === null ? subject : related;
  return (
    <li class="audit-entry">
      <details>
        <summary>
          <span class="audit-what">
            <strong>{actionText(entry)}</strong>
            {outcome === 'refused' && <Badge kind="danger">refused</Badge>}
            {about.name !== null && <span class="audit-name breakable">{cut(about.name)}</span>}
            {about.id !== null && <code class="audit-about">{about.id}</code>}
          </span>
          <span class="audit-who breakable">{actor.name}</span>
          <span class="audit-when">
            <Ago at={at} />
          </span>
        </summary>
        <dl class="facts small">
          <dt>When</dt>
          <dd>
            <At at={at} exact />
          </dd>
          <dt>Who</dt>
          <dd>
            {actor.name} <span class="soft">({actorText(actor.kind)})</span>
            {actor.address !== null && (
              <>
                {' '}
                from <code>{actor.address}</code>
              </>
            )}
          </dd>
          <dt>What</dt>
          <dd>
            <code>{action}</code> <SubjectLink subject={subject} />
            {related !== null && (
              <>
                {' '}
                of <SubjectLink subject={related} />
              </>
            )}
          </dd>
          {reason !== null && (
            <>
              <dt>Why refused</dt>
              <dd>{reason}</dd>
            </>
          )}
          <Changes before={entry.before} after={entry.after} />
          <dt>Entry</dt>
          <dd>
            {whole(n)} <code class="soft breakable">{hash}</code>
          </dd>
        </dl>
      </details>
    </li>
  );
}

function SubjectLink({ subject: { kind, id, name } }: { subject: AuditSubjectJson }): JSX.Element {
  const noun = kind.replaceAll('_', ' ');
  if (id === null) return <span class="soft">{noun}</span>;
  return (
    <>
      {noun} <SubjectId kind={kind} id={id} />
      {name !== null && <> ({name})</>}
    </>
  );
}

function SubjectId({ kind, id }: { kind: string; id: string }): JSX.Element {
  if (kind === 'api_user') return <a href={paths.apiUser(id)}>{id}</a>;
  if (kind === 'organisation' && site.kind === 'console') return <a href={paths.organisation(id)}>{id}</a>;
  return <code>{id}</code>;
}

/** The changed members with old and new values. */
function Changes(props: {
  before: AuditEntryJson['before'];
  after: AuditEntryJson['after'];
}): JSX.Element | null {
  const { before, after } = props;
  const names = [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])];
  const changed = names.filter((name) => valueText(before?.[name]) !== valueText(after?.[name]));
  if (changed.length === 0) return null;
  return (
    <>
      <dt>Change</dt>
      <dd>
        <ul class="changes">
          {changed.map((name) => (
            <li key={name}>
              <span class="soft">{name.replaceAll('_', ' ')}</span>{' '}
              {before?.[name] !== undefined && <del>{valueText(before[name])}</del>}{' '}
              {after?.[name] !== undefined && <ins>{valueText(after[name])}</ins>}
            </li>
          ))}
        </ul>
      </dd>
    </>
  );
}

/** A setting's value as text. */
export function valueText(value: unknown): string {
  if (value === null || value === undefined) return 'none';
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.map(valueText).join(', ');
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function actorText(kind: string): string {
  return kind === 'api_user' ? 'API user' : kind.replaceAll('_', ' ');
}

const ACTIONS: ReadonlyMap<string, string> = new Map([
  ['api_user.create', 'API user created'],
  ['api_user.update', 'Settings changed'],
  ['api_user.disable', 'API user disabled'],
  ['api_user.enable', 'API user enabled'],
  ['api_user.delete', 'API user deleted'],
  ['api_user.revoke_tokens', 'Tokens revoked'],
  ['api_user.import', 'API users imported'],
  ['api_user.export', 'Digests exported'],
  ['api_user.move', 'API user moved'],
  ['credential.create', 'Credential created'],
  ['credential.update', 'Credential changed'],
  ['credential.retire', 'Credential retired'],
  ['credential.reset', 'Credentials reset'],
  ['credential.cut_off', 'Cut off after a leak'],
  ['secret_link.create', 'Secret link created'],
  ['secret_link.open', 'Secret link opened'],
  ['secret_link.remove', 'Secret link removed'],
  ['organisation.create', 'Organisation created'],
  ['organisation.update', 'Organisation changed'],
  ['organisation.disable', 'Organisation disabled'],
  ['organisation.enable', 'Organisation enabled'],
  ['organisation.delete', 'Organisation deleted'],
  ['organisation.view', 'Organisation viewed as a member'],
  ['member.invite', 'Member invited'],
  ['member.accept', 'Member joined'],
  ['member.update', 'Member’s role changed'],
  ['member.remove', 'Member removed'],
  ['audience_settings.update', 'Audience settings changed'],
  ['signing_key.create', 'Signing key created'],
  ['signing_key.rotate', 'Signing key rotated'],
  ['operator.invite', 'Operator invited'],
  ['operator.accept', 'Invitation accepted'],
  ['operator.update', 'Role changed'],
  ['operator.remove', 'Operator removed'],
  ['operator.reset', 'Operator reset'],
  ['session.sign_in', 'Signed in'],
  ['session.sign_out', 'Signed out'],
  ['session.end', 'Session ended'],
  ['profile.password', 'Password changed'],
  ['profile.second_factor_on', 'Second factor turned on'],
  ['profile.second_factor_off', 'Second factor turned off'],
  ['audit.export', 'Audit log exported'],
  ['store.restore', 'Store restored from a backup'],
]);

/** Actions that members never see. */
const OF_PLATFORM = /^(operator|signing_key|store|audience_settings|profile|session)\./;

/** Options of the filter. */
export const ACTION_OPTIONS: readonly { value: string; text: string }[] = [...ACTIONS]
  .filter(([value]) => site.kind === 'console' || !OF_PLATFORM.test(value))
  .map(([value, text]) => ({ value, text }));

function actionText({ action, after }: AuditEntryJson): string {
  const kind = CREDENTIAL_KINDS.find((one) => one === after?.['kind']);
  if (action === 'credential.create' && kind !== undefined) return `${capital(kindText(kind))} created`;
  return ACTIONS.get(action) ?? action;
}
