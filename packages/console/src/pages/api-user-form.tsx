import type { ComponentChildren, JSX } from 'preact';
import type { SettingsRecord } from '../../../server/src/domain/api-user-record.ts';
import { whole } from '../format.ts';
import { usePolicy } from '../state/organisation.ts';
import { ChecksField, TextField } from '../ui/field.tsx';
import { ListField } from '../ui/list-field.tsx';

/** The settings that the forms have. Only imports, commands and the admin API set the others. */
export type EditableSettings = Omit<SettingsRecord, 'external_id' | 'claims' | 'token_life_seconds'>;

export const NO_SETTINGS: EditableSettings = {
  name: '',
  username: null,
  contact: null,
  scopes: [],
  audiences: [],
  limit_per_minute: null,
  allowed_networks: [],
};

export interface SettingsFieldsProps {
  settings: EditableSettings;
  onChange: (change: Partial<EditableSettings>) => void;
  /** The server's fault for a member. */
  errorOf: (member: string) => string | null;
  autofocus?: boolean;
  children?: ComponentChildren;
}

/** All settings of an API user, for creating and editing one. */
export function SettingsFields({
  settings,
  onChange,
  errorOf,
  autofocus = false,
  children,
}: SettingsFieldsProps): JSX.Element {
  const policy = usePolicy();
  const limitMax = policy?.api_user_limit_max ?? null;
  return (
    <>
      <TextField
        label="Name"
        hint="For example “Importer of shop 14”, for colleagues on call."
        value={settings.name}
        onInput={(name) => onChange({ name })}
        error={errorOf('name')}
        required
        maxLength={200}
        autofocus={autofocus}
      />
      <TextField
        label="Contact"
        optional
        hint="A person, team or address for questions."
        value={settings.contact ?? ''}
        onInput={(contact) => onChange({ contact: contact || null })}
        error={errorOf('contact')}
        maxLength={200}
      />
      <ScopeField settings={settings} onChange={onChange} errorOf={errorOf} />
      <TextField
        label="Limit"
        optional={limitMax === null}
        required={limitMax !== null}
        type="number"
        inputMode="numeric"
        min={1}
        max={limitMax ?? 1_000_000}
        hint={
          limitMax === null
            ? 'Token requests per minute. Empty: the server’s default.'
            : `Token requests per minute, at most ${whole(limitMax)}.`
        }
        value={settings.limit_per_minute === null ? '' : String(settings.limit_per_minute)}
        onInput={(limit) => onChange({ limit_per_minute: limit === '' ? null : Number(limit) })}
        error={errorOf('limit_per_minute')}
      />
      <details
        open={
          settings.username !== null || settings.audiences.length > 0 || settings.allowed_networks.length > 0
        }
      >
        <summary>More: {moreText(policy)}</summary>
        <div class="stack">
          <ListField
            label="Allowed networks"
            noun="network"
            optional
            hint="Tokens are issued only to these addresses, such as 192.0.2.0/24. Empty: to any."
            placeholder="192.0.2.0/24"
            items={settings.allowed_networks}
            onInput={(networks) => onChange({ allowed_networks: networks })}
            error={errorOf('allowed_networks')}
          />
          <AudienceField settings={settings} onChange={onChange} errorOf={errorOf} />
          {policy === null && (
            <TextField
              label="Username"
              optional
              hint="An alternative to the client id, such as an e-mail address."
              value={settings.username ?? ''}
              onInput={(username) => onChange({ username: username || null })}
              error={errorOf('username')}
              maxLength={254}
            />
          )}
          {children}
        </div>
      </details>
    </>
  );
}

function moreText(policy: ReturnType<typeof usePolicy>): string {
  if (policy === null) return 'networks, audiences, username';
  return policy.audiences.length === 0 ? 'networks' : 'networks, audiences';
}

type OwnFieldProps = Pick<SettingsFieldsProps, 'settings' | 'onChange' | 'errorOf'>;

/** In an organisation, a choice among the scopes of its policy. */
function ScopeField({ settings, onChange, errorOf }: OwnFieldProps): JSX.Element {
  const policy = usePolicy();
  if (policy !== null) {
    return (
      <ChecksField
        label="What it may do"
        none="The policy of your organisation has no scopes yet: ask the operator of the platform."
        options={[...new Set([...policy.scopes, ...settings.scopes])]}
        chosen={settings.scopes}
        onInput={(scopes) => onChange({ scopes })}
        error={errorOf('scopes')}
      />
    );
  }
  return (
    <ListField
      label="Scopes"
      noun="scope"
      optional
      hint="What its tokens allow, such as campaigns:read. Enter or a space adds one."
      placeholder="campaigns:read"
      items={settings.scopes}
      onInput={(scopes) => onChange({ scopes })}
      error={errorOf('scopes')}
    />
  );
}

/** In an organisation, a choice among the audiences of its policy. */
function AudienceField({ settings, onChange, errorOf }: OwnFieldProps): JSX.Element | null {
  const policy = usePolicy();
  if (policy !== null) {
    return policy.audiences.length === 0 ? null : (
      <ChecksField
        label="APIs that its tokens are for"
        none=""
        options={[...new Set([...policy.audiences, ...settings.audiences])]}
        chosen={settings.audiences}
        onInput={(audiences) => onChange({ audiences })}
        error={errorOf('audiences')}
      />
    );
  }
  return (
    <ListField
      label="Audiences"
      noun="audience"
      optional
      hint="URIs of the APIs that its tokens are for; the first is the default. Empty: the server’s own."
      placeholder="https://api.example.com"
      items={settings.audiences}
      onInput={(audiences) => onChange({ audiences })}
      error={errorOf('audiences')}
    />
  );
}
