import type { JSX } from 'preact';
import type { Claims } from '../../../server/src/domain/claims.ts';
import { TextAreaField } from './field.tsx';

/** Claims as lines of JSON. */
export function ClaimsText({ claims, none }: { claims: Claims; none: string }): JSX.Element {
  const names = Object.keys(claims);
  if (names.length === 0) return <span class="soft">{none}</span>;
  return (
    <ul class="plain-list tight">
      {names.map((name) => (
        <li key={name}>
          <code class="breakable">
            {name}: {JSON.stringify(claims[name])}
          </code>
        </li>
      ))}
    </ul>
  );
}

export function claimsText(claims: Claims): string {
  return Object.keys(claims).length === 0 ? '' : JSON.stringify(claims, null, 2);
}

/** The claims that a text means; null: it is not a JSON object. */
export function claimsOf(text: string): Claims | null {
  if (text.trim() === '') return {};
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Claims) : null;
  } catch {
    return null;
  }
}

export const NO_OBJECT = 'This is no JSON object: write names and values, such as {"tier": "gold"}.';

/** Static claims as JSON. */
export function ClaimsField(props: {
  hint: string;
  text: string;
  onInput: (text: string) => void;
  error: string | null;
}): JSX.Element {
  const { hint, text, onInput, error } = props;
  return (
    <TextAreaField
      label="Claims"
      optional
      hint={hint}
      rows={6}
      placeholder={'{\n  "tier": "gold"\n}'}
      value={text}
      onInput={onInput}
      error={claimsOf(text) === null ? NO_OBJECT : error}
    />
  );
}
