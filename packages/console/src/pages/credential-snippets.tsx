import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { CredentialJson } from '../../../server/src/http/admin/credential.wire.ts';
import { config } from '../config.ts';
import { CodeBlock } from '../ui/copy.tsx';
import { Segments } from '../ui/field.tsx';
import { Card } from '../ui/page.tsx';
import { keySnippets } from './key-snippets.ts';
import { trustSnippets, type Snippet } from './trust-snippets.ts';

/** What an integrator copies, with the client id, issuer and audience in it. */
export function CredentialSnippets({ credential }: { credential: CredentialJson }): JSX.Element | null {
  const { client_id: clientId, trust_rule: rule, public_key: jwk } = credential;
  const server = { issuer: config.issuer, tokenEndpoint: config.token_endpoint, clientId };
  const snippets =
    rule === undefined ? keySnippets(server, kidOf(credential), jwk) : trustSnippets(server, rule);
  const [title, setTitle] = useState(snippets[0]?.title ?? '');
  const shown = snippets.find((one) => one.title === title);
  return (
    <Card
      title="Set it up"
      actions={
        <Segments
          label="Where"
          value={title}
          options={snippets.map((one) => ({ value: one.title, text: one.title }))}
          onInput={setTitle}
        />
      }
    >
      {shown !== undefined && <Shown snippet={shown} />}
    </Card>
  );
}

/** A key set names its keys itself. */
function kidOf({ id, public_key: jwk, jwks_url: url }: CredentialJson): string {
  return url === undefined ? (jwk?.kid ?? id) : 'the kid in the key set';
}

function Shown({ snippet }: { snippet: Snippet }): JSX.Element {
  return (
    <div class="stack tight">
      <p class="hint">{snippet.text}</p>
      <CodeBlock key={snippet.title} text={snippet.code} what={`the lines for ${snippet.title}`} />
    </div>
  );
}
