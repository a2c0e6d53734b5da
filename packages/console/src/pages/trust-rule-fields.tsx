import type { JSX } from 'preact';
import { useContext } from 'preact/hooks';
import { Button } from '../ui/button.tsx';
import {
  CheckField,
  ChoiceField,
  Field,
  SelectField,
  TextAreaField,
  TextField,
  type Choice,
} from '../ui/field.tsx';
import { MarkEdited } from '../ui/form.tsx';
import { newClaim, type ClaimDraft, type ClaimTest, type TrustDraft } from './trust-draft.ts';

export interface TrustRuleFieldsProps {
  draft: TrustDraft;
  onChange: (change: Partial<TrustDraft>) => void;
  /** The fault of a member of the rule. */
  errorOf: (member: string) => string | null;
}

const REUSES: readonly Choice<TrustDraft['reuse']>[] = [
  { value: 'once', text: 'once', hint: 'The program gets a new one for each token request.' },
  {
    value: 'until_expired',
    text: 'until it expires',
    hint: 'For platforms that give the same token again, such as Kubernetes.',
  },
];

/** All members of a trust rule, for issuers without a preset. */
export function TrustRuleFields({ draft, onChange, errorOf }: TrustRuleFieldsProps): JSX.Element {
  return (
    <>
      <TextField
        label="Issuer"
        hint="The iss of the tokens, character by character."
        placeholder="https://issuer.example.com"
        value={draft.issuer}
        onInput={(issuer) => onChange({ issuer })}
        error={errorOf('issuer')}
        required
        maxLength={512}
        mono
      />
      <TextField
        label="Subject"
        hint="The sub of the tokens. A * at the end, after : or /, stands for the rest."
        placeholder="team:importer:*"
        value={draft.subject}
        onInput={(subject) => onChange({ subject })}
        error={errorOf('subject')}
        required
        maxLength={512}
        mono
      />
      <Claims draft={draft} onChange={onChange} errorOf={errorOf} />
      <ChoiceField
        label="A token works"
        value={draft.reuse}
        choices={REUSES}
        onInput={(reuse) => onChange({ reuse })}
      />
      <details open={draft.keysFrom !== 'discovery'}>
        <summary>More: audience, life, keys of the issuer</summary>
        <div class="stack">
          <AudienceFields draft={draft} onChange={onChange} errorOf={errorOf} />
          <KeyFields draft={draft} onChange={onChange} errorOf={errorOf} />
        </div>
      </details>
    </>
  );
}

function AudienceFields({ draft, onChange, errorOf }: TrustRuleFieldsProps): JSX.Element {
  return (
    <>
      <TextField
        label="Audience"
        hint="The aud of the tokens. The program asks its platform for this one."
        value={draft.audience}
        onInput={(audience) => onChange({ audience })}
        error={errorOf('audience')}
        required
        maxLength={512}
        mono
      />
      <CheckField
        label="A token may name other audiences, too"
        hint="Whoever receives it there could use it here."
        checked={draft.otherAudiences}
        onInput={(otherAudiences) => onChange({ otherAudiences })}
      />
      <TextField
        label="Longest life"
        hint="Seconds from iat to exp."
        type="number"
        inputMode="numeric"
        min={1}
        max={86_400}
        value={draft.lifeSeconds}
        onInput={(lifeSeconds) => onChange({ lifeSeconds })}
        error={errorOf('life_seconds_max')}
        required
      />
    </>
  );
}

const KEY_SOURCES = [
  { value: 'discovery', text: 'from the issuer, by OpenID discovery' },
  { value: 'url', text: 'from a URL' },
  { value: 'inline', text: 'pasted here: the issuer cannot be reached' },
] as const;

function KeyFields({ draft, onChange, errorOf }: TrustRuleFieldsProps): JSX.Element {
  return (
    <>
      <SelectField
        label="Its public keys come"
        value={draft.keysFrom}
        options={KEY_SOURCES}
        onInput={(value) => {
          const source = KEY_SOURCES.find((one) => one.value === value);
          if (source !== undefined) onChange({ keysFrom: source.value });
        }}
        error={draft.keysFrom === 'discovery' ? errorOf('keys') : null}
      />
      {draft.keysFrom === 'url' && (
        <TextField
          label="URL of the key set"
          placeholder="https://issuer.example.com/keys"
          inputMode="url"
          value={draft.keysUrl}
          onInput={(keysUrl) => onChange({ keysUrl })}
          error={errorOf('keys')}
          required
          maxLength={512}
          mono
        />
      )}
      {draft.keysFrom === 'inline' && (
        <TextAreaField
          label="Key set"
          hint="A JWKS: JSON with public keys. When the issuer rotates its keys, create the rule again."
          placeholder='{"keys": [{"kty": "EC", …}]}'
          rows={6}
          value={draft.jwks}
          onInput={(jwks) => onChange({ jwks })}
          error={errorOf('keys')}
          required
        />
      )}
    </>
  );
}

const TESTS: readonly { value: ClaimTest; text: string }[] = [
  { value: 'is', text: 'is the text' },
  { value: 'one_of', text: 'is one of' },
  { value: 'prefix', text: 'begins with' },
  { value: 'json', text: 'is the JSON value' },
];

function Claims({ draft, onChange, errorOf }: TrustRuleFieldsProps): JSX.Element {
  const markEdited = useContext(MarkEdited);
  const set = (claims: readonly ClaimDraft[]) => {
    markEdited();
    onChange({ claims });
  };
  return (
    <fieldset class="stack tight">
      <legend class="label">Other claims</legend>
      <p class="hint">
        All of them must match. /a/b is the member b inside the claim a. Commas separate the values of “is one
        of”.
      </p>
      {draft.claims.map((claim, i) => (
        <Claim
          key={claim.row}
          number={i + 1}
          claim={claim}
          error={errorOf(`claims/${claim.name.trim()}`)}
          onChange={(change) =>
            set(draft.claims.map((one) => (one.row === claim.row ? { ...one, ...change } : one)))
          }
          onRemove={() => set(draft.claims.filter((one) => one.row !== claim.row))}
        />
      ))}
      <div>
        <Button small icon="plus" onClick={() => set([...draft.claims, newClaim()])}>
          Add a claim
        </Button>
      </div>
    </fieldset>
  );
}

function Claim(props: {
  number: number;
  claim: ClaimDraft;
  error: string | null;
  onChange: (change: Partial<ClaimDraft>) => void;
  onRemove: () => void;
}): JSX.Element {
  const { number, claim, error, onChange, onRemove } = props;
  return (
    <div class="claim">
      <TextField
        label={`Claim ${number}`}
        unseenLabel
        placeholder="environment"
        value={claim.name}
        onInput={(name) => onChange({ name })}
        required
        maxLength={200}
        mono
      />
      <SelectField
        label={`Test of claim ${number}`}
        unseenLabel
        value={claim.test}
        options={TESTS}
        onInput={(value) => {
          const test = TESTS.find((one) => one.value === value);
          if (test !== undefined) onChange({ test: test.value });
        }}
      />
      <Field label={`Value of claim ${number}`} unseenLabel error={error}>
        {(described) => (
          <div class="with-button">
            <input
              {...described}
              class="mono"
              value={claim.value}
              placeholder={claim.test === 'json' ? 'true' : 'production'}
              autocomplete="off"
              autocapitalize="none"
              spellcheck={false}
              required
              onInput={(event) => onChange({ value: event.currentTarget.value })}
            />
            <Button icon="close" label={`Remove claim ${number}`} onClick={onRemove} />
          </div>
        )}
      </Field>
    </div>
  );
}
