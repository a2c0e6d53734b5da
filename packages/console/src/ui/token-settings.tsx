import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Claims } from '../../../server/src/domain/claims.ts';
import { post } from '../api/client.ts';
import type { TokenPreviewJson } from '../../../server/src/http/admin/token-preview.wire.ts';
import { Problem } from '../api/problem.ts';
import { plural, whole } from '../format.ts';
import { useSettled } from '../state/clock.ts';
import { useAction } from './action.ts';
import { LinkButton } from './button.tsx';
import { ClaimsField, claimsOf, claimsText, NO_OBJECT } from './claims.tsx';
import { CodeBlock } from './copy.tsx';
import { NumberField } from './field.tsx';
import { Form, FormEnd } from './form.tsx';
import { Failure } from './notice.tsx';

export interface TokenSettings {
  claims: Claims;
  token_life_seconds: number | null;
}

/** Claims and life of tokens, with the resulting token before it is saved. */
export function TokenSettingsForm(props: {
  /** Whose settings these are: `client_id`, `organisation_id` or `audience`. */
  of: Readonly<Record<string, string>>;
  settings: TokenSettings;
  claimsHint: string;
  lifeHint: string;
  /** Pointers of the members in the request that saves them. */
  pointers: { claims: string; life: string };
  onSave: (settings: TokenSettings) => Promise<void>;
  backHref: string;
}): JSX.Element {
  const { of, settings, claimsHint, lifeHint, pointers, onSave, backHref } = props;
  const [text, setText] = useState(() => claimsText(settings.claims));
  const [life, setLife] = useState(settings.token_life_seconds);
  const preview = usePreview(of, text, life);
  const action = useAction(async () => {
    const claims = claimsOf(text);
    if (claims === null) throw new Problem({ title: NO_OBJECT, status: 400, code: 'invalid' });
    await onSave({ claims, token_life_seconds: life });
  });
  return (
    <Form onSubmit={() => action.run()} class="card">
      <ClaimsField
        hint={claimsHint}
        text={text}
        onInput={setText}
        error={action.errorOf(pointers.claims) ?? preview.problem?.of('claims') ?? null}
      />
      <NumberField
        label="Life of the tokens"
        hint={lifeHint}
        value={life}
        onInput={setLife}
        error={action.errorOf(pointers.life) ?? preview.problem?.of('token_life_seconds') ?? null}
      />
      <Preview token={preview.token} problem={preview.problem} />
      <FormEnd action={action} verb="Save">
        <LinkButton kind="quiet" href={backHref}>
          Cancel
        </LinkButton>
      </FormEnd>
    </Form>
  );
}

function Preview(props: { token: TokenPreviewJson | null; problem: Problem | null }): JSX.Element {
  const { token, problem } = props;
  return (
    <section class="stack tight" aria-label="The resulting token">
      <span class="label">The resulting token</span>
      {problem !== null && problem.errors.length === 0 && <Failure error={problem} />}
      {token !== null && (
        <>
          <CodeBlock text={JSON.stringify(token.claims, null, 2)} what="the claims of the token" />
          <p class="hint" aria-live="polite">
            {whole(token.bytes)} bytes; it lives {plural(token.life_seconds, 'second')}.
          </p>
        </>
      )}
    </section>
  );
}

const TYPING_MS = 400;

/** The token with settings that are not saved yet, asked after each pause in typing. */
function usePreview(
  of: Readonly<Record<string, string>>,
  text: string,
  life: number | null,
): { token: TokenPreviewJson | null; problem: Problem | null } {
  const [shown, setShown] = useState<{ token: TokenPreviewJson | null; problem: Problem | null }>({
    token: null,
    problem: null,
  });
  const claims = claimsOf(text);
  const body = claims === null ? '' : JSON.stringify({ ...of, claims, token_life_seconds: life });
  const settled = useSettled(body, TYPING_MS);
  useEffect(() => {
    if (settled === '') return undefined;
    const aborter = new AbortController();
    post<TokenPreviewJson>('/token-preview', JSON.parse(settled), { signal: aborter.signal }).then(
      (token) => setShown({ token, problem: null }),
      (error: unknown) => {
        if (!aborter.signal.aborted && error instanceof Problem)
          setShown((before) => ({ ...before, problem: error }));
      },
    );
    return () => aborter.abort();
  }, [settled]);
  return shown;
}
