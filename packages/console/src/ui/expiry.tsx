import type { JSX } from 'preact';
import { DAY_MS, dateTime, plural } from '../format.ts';
import { site } from '../site.ts';
import { usePolicy } from '../state/organisation.ts';
import { SelectField, TextField, type Option } from './field.tsx';

const EXPIRIES = [
  { value: '', text: 'Never' },
  { value: '30', text: 'In 30 days' },
  { value: '90', text: 'In 90 days' },
  { value: '180', text: 'In 180 days' },
  { value: '365', text: 'In a year' },
] as const;

const EXPIRY_HINT = `From then on it is refused. The ${site.kind === 'console' ? 'overview' : 'list'} warns 30 days before.`;

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
  const allowed = expiriesWithin(usePolicy()?.credential_days_max ?? null);
  const others = keep === null ? allowed.filter(({ value }) => value !== '') : allowed;
  return (
    <SelectField
      label="It expires"
      hint={EXPIRY_HINT}
      value={days}
      options={[...now, ...others]}
      onInput={onInput}
      error={error}
    />
  );
}

/** Without a date, the server gives the longest life that the policy allows. */
function expiriesWithin(daysMax: number | null): readonly Option[] {
  if (daysMax === null) return EXPIRIES;
  const longest = { value: '', text: `In ${plural(daysMax, 'day')}, the longest allowed` };
  return [longest, ...EXPIRIES.filter(({ value }) => value !== '' && Number(value) < daysMax)];
}

/** Name and expiry time of a new credential. */
export function NameAndExpiry(props: {
  label: string;
  hint: string;
  name: string;
  onName: (name: string) => void;
  days: string;
  onDays: (days: string) => void;
  errorOf: (member: string) => string | null;
}): JSX.Element {
  const { label, hint, name, onName, days, onDays, errorOf } = props;
  return (
    <>
      <TextField
        label={label}
        hint={hint}
        value={name}
        onInput={onName}
        error={errorOf('name')}
        required
        maxLength={200}
      />
      <ExpiryField days={days} onInput={onDays} error={errorOf('expires_at')} />
    </>
  );
}

export function expiryOf(days: string): { expires_at?: string } {
  return days === '' ? {} : { expires_at: new Date(Date.now() + Number(days) * DAY_MS).toISOString() };
}
