import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { announce } from '../state/announce.ts';
import { Button } from './button.tsx';

const SAID_MS = 2000;

/** Puts a text on the clipboard. Where the browser refuses, it says how else to get it there. */
export function CopyButton({
  text,
  what,
  small = true,
}: {
  text: string;
  /** "the client id": for screen readers, and for what is said. */
  what: string;
  small?: boolean;
}): JSX.Element {
  const [copied, setCopied] = useState(false);
  const copy = () => {
    // Only over HTTPS or on localhost: elsewhere there is no clipboard.
    const written = (navigator.clipboard as Clipboard | undefined)?.writeText(text);
    if (written === undefined) return announce(NO_CLIPBOARD, { kind: 'failed' });
    written
      .then(() => {
        setCopied(true);
        announce(`Copied ${what}.`);
        return setTimeout(() => setCopied(false), SAID_MS);
      })
      .catch(() => announce(NO_CLIPBOARD, { kind: 'failed' }));
  };
  return (
    <Button
      small={small}
      kind="quiet"
      icon={copied ? 'check' : 'copy'}
      label={`Copy ${what}`}
      onClick={copy}
    />
  );
}

const NO_CLIPBOARD = 'The browser does not let this page copy: select the text and copy it yourself.';

/** A text to be taken elsewhere, with a button that copies it. */
export function CodeBlock({ text, what }: { text: string; what: string }): JSX.Element {
  return (
    <div class="code-block">
      <pre>{text}</pre>
      <CopyButton text={text} what={what} />
    </div>
  );
}

/** An id in a line of text; with `length`, only its beginning is shown. */
export function Id({ text, what, length }: { text: string; what: string; length?: number }): JSX.Element {
  const shown = length === undefined || text.length <= length ? text : `${text.slice(0, length)}…`;
  return (
    <span class="id">
      <code class={shown === text ? 'breakable' : 'unbroken'} title={text}>
        {shown}
      </code>
      <CopyButton text={text} what={what} />
    </span>
  );
}
