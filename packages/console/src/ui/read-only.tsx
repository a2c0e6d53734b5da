import type { JSX } from 'preact';
import { site } from '../site.ts';
import { Notice } from './notice.tsx';

/** Replaces a form that the person may not use. `text`: the required role, for operators. */
export function ReadOnly({ text }: { text: string }): JSX.Element {
  return (
    <Notice title="Your role is read-only">
      <p>
        {site.kind === 'console'
          ? text
          : 'You see this organisation as its members do. Operators change it in the console.'}
      </p>
    </Notice>
  );
}
