import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { announce } from '../state/announce.ts';
import { Button } from './button.tsx';

const SAID_MS = 2000;

/** Copies a text to the clipboard. If the browser refuses, explains how to copy by hand. */
export function CopyButton({
  text,
  what,
  small = true,
}: {
  text: string;
  /** A noun such as "the client id", for screen readers and messages. */
  what: string;
  small?: boolean;
}): JSX.Element {
  const [copied, setCopied] = useState(false);
  const copy = () => {
    // Browsers offer a clipboard only over HTTPS or on localhost.
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

const NO_CLIPBOARD = 'The browser does not allow copying: select the text and copy it yourself.';

/** A text with a copy button. */
export function CodeBlock({ text, what }: { text: string; what: string }): JSX.Element {
  return (
    <div class="code-block">
      <pre>{text}</pre>
      <CopyButton text={text} what={what} />
    </div>
  );
}

/** An inline id; `length` shortens it to its first characters. */
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
