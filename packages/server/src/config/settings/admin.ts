import { whole, type Setting } from '../setting.ts';

/** The settings of the admin API; a part of `Config`. */
export interface AdminConfig {
  readonly adminAddressLimit: number;
  readonly adminBodyBytesMax: number;
  readonly adminImportLinesMax: number;
}

export const ADMIN_SETTINGS: { readonly [K in keyof AdminConfig]: Setting<AdminConfig[K]> } = {
  adminAddressLimit: whole(
    'ADMIN_ADDRESS_LIMIT',
    '<calls/min>',
    1200,
    1,
    1e9,
    'Calls a minute and burst of one network address at the admin API (IPv6: of a /64 network).',
  ),
  adminBodyBytesMax: whole(
    'ADMIN_BODY_BYTES_MAX',
    '<bytes>',
    65_536,
    8192,
    1e7,
    'Longest body of a request to the admin API, and longest line of an import.',
  ),
  adminImportLinesMax: whole(
    'ADMIN_IMPORT_LINES_MAX',
    '<lines>',
    20_000,
    1,
    1e6,
    'Most lines of one import through the admin API; the command line imports any number.',
  ),
};
