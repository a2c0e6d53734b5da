import type { ComponentChildren, JSX } from 'preact';
import type { SettingsRecord } from '../../../server/src/domain/api-user-record.ts';
import { TextField } from '../ui/field.tsx';
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
      <TextField
        label="Limit"
        optional
        type="number"
        inputMode="numeric"
        min={1}
        max={1_000_000}
        hint="Token requests per minute. Empty: the server’s default."
        value={settings.limit_per_minute === null ? '' : String(settings.limit_per_minute)}
        onInput={(limit) => onChange({ limit_per_minute: limit === '' ? null : Number(limit) })}
        error={errorOf('limit_per_minute')}
      />
      <details
        open={
          settings.username !== null || settings.audiences.length > 0 || settings.allowed_networks.length > 0
        }
      >
        <summary>More: networks, audiences, username</summary>
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
          <TextField
            label="Username"
            optional
            hint="An alternative to the client id, such as an e-mail address."
            value={settings.username ?? ''}
            onInput={(username) => onChange({ username: username || null })}
            error={errorOf('username')}
            maxLength={254}
          />
          {children}
        </div>
      </details>
    </>
  );
}
