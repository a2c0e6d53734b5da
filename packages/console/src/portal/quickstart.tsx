import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { useRoute } from 'preact-iso/router';
import type { ApiUserJson } from '../../../server/src/http/admin/api-user.wire.ts';
import type { CredentialJson } from '../../../server/src/http/admin/credential.wire.ts';
import { apiUserPath } from '../api/paths.ts';
import { config } from '../config.ts';
import { isNoSuchApiUser, NoSuchApiUser } from '../pages/no-such-api-user.tsx';
import { paths } from '../paths.ts';
import { useResource } from '../state/resource.ts';
import { Button, LinkButton } from '../ui/button.tsx';
import { CodeBlock } from '../ui/copy.tsx';
import { kindText } from '../ui/credential-kind.ts';
import { saveAs } from '../ui/download.ts';
import { Segments } from '../ui/field.tsx';
import { Loaded } from '../ui/loaded.tsx';
import { Notice } from '../ui/notice.tsx';
import { Card, Page } from '../ui/page.tsx';
import { ConnectionTest } from './connection-test.tsx';
import { quickstarts, SECRET_VARIABLE } from './quickstarts.ts';

export function QuickstartPage(): JSX.Element {
  const { clientId = '' } = useRoute().params;
  return <OneQuickstart key={clientId} clientId={clientId} />;
}

/** Programs with the client id in them, and whether a call arrives. */
function OneQuickstart({ clientId }: { clientId: string }): JSX.Element {
  const path = apiUserPath(clientId);
  const user = useResource<ApiUserJson>(path);
  const credentials = useResource<{ items: CredentialJson[] }>(`${path}/credentials`);
  if (isNoSuchApiUser(user)) return <NoSuchApiUser clientId={clientId} />;
  return (
    <Page
      title="Quickstart"
      lead="From here to the first token."
      back={{ href: paths.apiUser(clientId), text: user.data?.name ?? 'API user' }}
    >
      <Loaded from={credentials} size="tall">
        {({ items }) => (
          <>
            <Others items={items} />
            <Programs clientId={clientId} />
          </>
        )}
      </Loaded>
      <ConnectionTest clientId={clientId} />
    </Page>
  );
}

/** For an API user that has no secret: the pages of its keys and rules say how to use them. */
function Others({ items }: { items: readonly CredentialJson[] }): JSX.Element | null {
  const live = items.filter(({ state }) => state === 'live');
  const hasSecret = live.some(({ kind }) => kind === 'secret' || kind === 'password');
  const others = live.filter(({ kind }) => kind === 'key' || kind === 'trust');
  if (hasSecret || others.length === 0) return null;
  return (
    <Notice title="It has no secret">
      <p>These programs use a secret. For what it has, the page of the credential says how to use it:</p>
      <div class="row">
        {others.map(({ id, kind, name, client_id: clientId }) => (
          <LinkButton small key={id} href={paths.credential(clientId, id)}>
            {kindText(kind)} {name}
          </LinkButton>
        ))}
      </div>
    </Notice>
  );
}

function Programs({ clientId }: { clientId: string }): JSX.Element {
  const programs = quickstarts({ clientId, tokenEndpoint: config.token_endpoint });
  const [title, setTitle] = useState('curl');
  const shown = programs.find((one) => one.title === title);
  return (
    <Card title="A program that gets a token">
      <div class="row">
        <Segments
          label="Language"
          value={title}
          options={programs.map((one) => ({ value: one.title, text: one.title }))}
          onInput={setTitle}
        />
        <p class="hint">
          It reads the secret from <code>{SECRET_VARIABLE}</code>, a variable of the environment.
        </p>
      </div>
      {shown !== undefined && (
        <div class="stack tight">
          <CodeBlock key={title} text={shown.code} what={`the program in ${title}`} />
          <div class="row apart">
            <p class="hint">{shown.text}</p>
            <Button small icon="download" onClick={() => saveAs(shown.file, `${shown.code}\n`)}>
              {shown.file}
            </Button>
          </div>
        </div>
      )}
    </Card>
  );
}
