import type { JSX } from 'preact';
import { DAY_MS, dateTime } from '../format.ts';
import { SelectField } from './field.tsx';

const EXPIRIES = [
  { value: '', text: 'Never' },
  { value: '30', text: 'In 30 days' },
  { value: '90', text: 'In 90 days' },
  { value: '180', text: 'In 180 days' },
  { value: '365', text: 'In a year' },
] as const;

export interface ExpiryFieldProps {
  /** Empty: no expiry. `keep`: unchanged. */
  days: string;
  onInput: (days: string) => void;
  error?: string | null;
  /** The current expiry, if there is one to keep. */
  keep?: string | null;
}

/** A choice of a secret's expiry. */
export function ExpiryField({ days, onInput, error = null, keep }: ExpiryFieldProps): JSX.Element {
  const now =
    keep === undefined
      ? []
      : [
          {
            value: 'keep',
            text: keep === null ? 'Never, unchanged' : `${dateTime(Date.parse(keep))}, unchanged`,
          },
        ];
  const others = keep === null ? EXPIRIES.filter(({ value }) => value !== '') : EXPIRIES;
  return (
    <SelectField
      label="It expires"
      hint="From then on it is refused. The overview warns 30 days before."
      value={days}
      options={[...now, ...others]}
      onInput={onInput}
      error={error}
    />
  );
}

export function expiryOf(days: string): { expires_at?: string } {
  return days === '' ? {} : { expires_at: new Date(Date.now() + Number(days) * DAY_MS).toISOString() };
}
