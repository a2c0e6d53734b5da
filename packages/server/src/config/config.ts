import type { Bounds } from './bounds.ts';
import { settingOf, type Setting, type SettingTypes } from './setting.ts';
import { HTTP_SETTINGS } from './settings/http.ts';
import { LIMIT_SETTINGS } from './settings/limits.ts';
import { OPERATOR_SETTINGS } from './settings/operators.ts';
import { PROCESS_SETTINGS } from './settings/processes.ts';
import { RETENTION_SETTINGS } from './settings/retention.ts';
import { SERVER_SETTINGS } from './settings/server.ts';
import { STORE_SETTINGS } from './settings/store.ts';
import { TOKEN_SETTINGS } from './settings/tokens.ts';
import { TRUSTED_KEY_SETTINGS } from './settings/trusted-keys.ts';

type Definitions = typeof SERVER_SETTINGS &
  typeof STORE_SETTINGS &
  typeof PROCESS_SETTINGS &
  typeof TOKEN_SETTINGS &
  typeof TRUSTED_KEY_SETTINGS &
  typeof LIMIT_SETTINGS &
  typeof HTTP_SETTINGS &
  typeof OPERATOR_SETTINGS &
  typeof RETENTION_SETTINGS;

type Values = { readonly [Name in keyof Definitions]: SettingTypes[Definitions[Name]['type']] };

/** Every setting and bound, read once. `settings/<topic>.ts` and `bounds.ts` explain them. */
export interface Config extends Values, Bounds {}

export type SettingName = keyof Values;

/** The topics in the order of --help. */
const DEFINITIONS: Definitions = {
  ...SERVER_SETTINGS,
  ...STORE_SETTINGS,
  ...PROCESS_SETTINGS,
  ...TOKEN_SETTINGS,
  ...TRUSTED_KEY_SETTINGS,
  ...LIMIT_SETTINGS,
  ...HTTP_SETTINGS,
  ...OPERATOR_SETTINGS,
  ...RETENTION_SETTINGS,
};

export const SETTINGS = Object.fromEntries(
  Object.entries(DEFINITIONS).map(([name, definition]) => [name, settingOf(definition)]),
) as { readonly [Name in SettingName]: Setting<Values[Name]> };

export const SETTING_NAMES = Object.keys(SETTINGS) as readonly SettingName[];
