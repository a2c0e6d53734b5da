import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { withQuery } from '../api/client.ts';
import type { ListedOrganisationJson } from '../../../server/src/http/admin/organisation.wire.ts';
import { plural } from '../format.ts';
import { useDraft } from '../state/draft.ts';
import { useResource } from '../state/resource.ts';
import { ChoiceField, TextField } from './field.tsx';
import { Loaded } from './loaded.tsx';

const SHOWN_MAX = 8;
/** The value of the choice for no organisation. */
export const PLATFORM = 'none';

/** A choice of one organisation, organisations by a search; or of the platform. */
export function OrganisationField(props: {
  label: string;
  value: string;
  onInput: (id: string) => void;
}): JSX.Element {
  const { label, value, onInput } = props;
  const [search, setSearch] = useState('');
  const [text, setText] = useDraft(search, setSearch);
  const organisations = useResource<{ items: ListedOrganisationJson[] }>(
    withQuery('/organisations', { search, state: 'enabled', limit: SHOWN_MAX }),
  );
  return (
    <>
      <TextField
        label="Find an organisation"
        type="search"
        placeholder="Part of its name or id"
        value={text}
        onInput={setText}
        autofocus
      />
      <Loaded from={organisations} size="text">
        {({ items }) => (
          <ChoiceField
            label={label}
            value={value}
            choices={[
              ...items.map(({ id, name, api_users: count }) => ({
                value: id,
                text: <span class="breakable">{name}</span>,
                hint: plural(count, 'API user'),
              })),
              {
                value: PLATFORM,
                text: 'The platform itself',
                hint: 'No organisation: only operators see it.',
              },
            ]}
            onInput={onInput}
          />
        )}
      </Loaded>
    </>
  );
}
