import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { request } from '../api/client.ts';
import type { AudienceSettingsJson } from '../../../server/src/http/admin/audience-settings.wire.ts';
import { plural } from '../format.ts';
import { paths } from '../paths.ts';
import { announce } from '../state/announce.ts';
import { useQuery } from '../state/query.ts';
import { useResource } from '../state/resource.ts';
import { useMay } from '../state/session.ts';
import { Button } from '../ui/button.tsx';
import { ClaimsText } from '../ui/claims.tsx';
import { CancelButton, Dialog } from '../ui/dialog.tsx';
import { TextField } from '../ui/field.tsx';
import { Form } from '../ui/form.tsx';
import { Loaded } from '../ui/loaded.tsx';
import { Empty } from '../ui/notice.tsx';
import { Page } from '../ui/page.tsx';
import { TokenSettingsForm, type TokenSettings } from '../ui/token-settings.tsx';

const NONE: TokenSettings = { claims: {}, token_life_seconds: null };

/** Claims and token life of each audience. `audience` in the URL names the one that is edited. */
export function AudiencesPage(): JSX.Element {
  const isAdmin = useMay('admin');
  const [{ audience = '' }, setQuery] = useQuery();
  const [adding, setAdding] = useState(false);
  const settings = useResource<{ items: AudienceSettingsJson[] }>('/audience-settings', [
    { noun: 'audience_settings' },
  ]);
  const isEditing = isAdmin && audience !== '';
  const save = async (body: TokenSettings) => {
    await request('PUT', '/audience-settings', { body: { audience, ...body } });
    announce('Saved. New tokens have it within a second.');
    settings.reload();
    setQuery({ audience: '' });
  };
  return (
    <Page
      title={isEditing ? audience : 'Audiences'}
      lead={
        isEditing
          ? 'For all tokens of this audience. What an organisation or API user has itself wins.'
          : 'Claims and life of all tokens of one API.'
      }
      back={
        isEditing
          ? { href: paths.audiences, text: 'Audiences' }
          : { href: paths.organisations, text: 'Organisations' }
      }
      narrow={isEditing}
      actions={
        isAdmin &&
        !isEditing && (
          <Button kind="primary" icon="plus" onClick={() => setAdding(true)}>
            Add an audience
          </Button>
        )
      }
    >
      <Loaded from={settings} size="tall">
        {({ items }) =>
          isEditing ? (
            <TokenSettingsForm
              key={audience}
              of={{ audience }}
              settings={items.find((one) => one.audience === audience) ?? NONE}
              claimsHint="Names and JSON values, the same in each token. Empty, with no life: the settings are removed."
              lifeHint="In seconds. Empty: the server’s."
              pointers={{ claims: 'claims', life: 'token_life_seconds' }}
              onSave={save}
              backHref={paths.audiences}
            />
          ) : (
            <Table items={items} onEdit={isAdmin ? (one) => setQuery({ audience: one }) : null} />
          )
        }
      </Loaded>
      {adding && (
        <AddAudience
          onAdd={(one) => {
            setAdding(false);
            setQuery({ audience: one });
          }}
          onClose={() => setAdding(false)}
        />
      )}
    </Page>
  );
}

function Table(props: {
  items: readonly AudienceSettingsJson[];
  onEdit: ((audience: string) => void) | null;
}): JSX.Element {
  const { items, onEdit } = props;
  if (items.length === 0) {
    return (
      <section class="card">
        <Empty icon="key" title="No audience has settings of its own">
          <p>Tokens of every audience have the server’s life and no claims of the audience.</p>
        </Empty>
      </section>
    );
  }
  return (
    <section class="card flush" aria-label="Audiences">
      <table class="table">
        <thead>
          <tr>
            <th scope="col">Audience</th>
            <th scope="col">Claims</th>
            <th scope="col">Life</th>
            {onEdit !== null && (
              <th scope="col">
                <span class="unseen">Actions</span>
              </th>
            )}
          </tr>
        </thead>
        <tbody>
          {items.map(({ audience, claims, token_life_seconds: life }) => (
            <tr key={audience}>
              <th scope="row">
                <code class="breakable">{audience}</code>
              </th>
              <td data-label="Claims">
                <ClaimsText claims={claims} none="none" />
              </td>
              <td data-label="Life" class="fit">
                {life === null ? <span class="soft">the server’s</span> : plural(life, 'second')}
              </td>
              {onEdit !== null && (
                <td class="fit whole">
                  <Button small icon="edit" onClick={() => onEdit(audience)}>
                    Edit<span class="unseen"> {audience}</span>
                  </Button>
                </td>
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function AddAudience(props: { onAdd: (audience: string) => void; onClose: () => void }): JSX.Element {
  const { onAdd, onClose } = props;
  const [audience, setAudience] = useState('');
  return (
    <Dialog title="Add an audience" onClose={onClose}>
      <Form onSubmit={() => onAdd(audience.trim())} guarded={false}>
        <TextField
          label="Audience"
          hint="The URI of the API, as in the tokens’ aud."
          placeholder="https://api.example.com"
          inputMode="url"
          value={audience}
          onInput={setAudience}
          required
          maxLength={512}
          autofocus
          mono
        />
        <div class="form-actions">
          <CancelButton />
          <Button kind="primary" type="submit">
            Next
          </Button>
        </div>
      </Form>
    </Dialog>
  );
}
