import type { JSX } from 'preact';
import { TextField } from '../ui/field.tsx';

export interface Names {
  name: string;
  contact: string | null;
  external_id: string | null;
}

export const NO_NAMES: Names = { name: '', contact: null, external_id: null };

/** Name, contact and external id of an organisation. */
export function OrganisationNames(props: {
  names: Names;
  onChange: (change: Partial<Names>) => void;
  errorOf: (member: string) => string | null;
  autofocus?: boolean;
}): JSX.Element {
  const { names, onChange, errorOf, autofocus = false } = props;
  return (
    <>
      <TextField
        label="Name"
        hint="Its members see it."
        value={names.name}
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
        value={names.contact ?? ''}
        onInput={(contact) => onChange({ contact: contact || null })}
        error={errorOf('contact')}
        maxLength={200}
      />
      <TextField
        label="External id"
        optional
        hint="Its id in another system, such as the advertiser’s number."
        value={names.external_id ?? ''}
        onInput={(id) => onChange({ external_id: id || null })}
        error={errorOf('external_id')}
        maxLength={200}
      />
    </>
  );
}
