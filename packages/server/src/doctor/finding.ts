export interface Finding {
  what:
    | 'runtime'
    | 'configuration'
    | 'files'
    | 'store'
    | 'master key'
    | 'signing keys'
    | 'keys of others'
    | 'clock'
    | 'limits'
    | 'proxy';
  state: 'ok' | 'warn' | 'fail';
  detail: string;
  /** How the operator can fix it. */
  mend?: string;
}
