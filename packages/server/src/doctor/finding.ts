export interface Finding {
  what:
    | 'runtime'
    | 'configuration'
    | 'files'
    | 'store'
    | 'master key'
    | 'signing keys'
    | 'clock'
    | 'limits'
    | 'proxy';
  state: 'ok' | 'warn' | 'fail';
  detail: string;
  /** What to do about it. */
  mend?: string;
}
