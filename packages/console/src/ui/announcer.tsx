import type { JSX } from 'preact';
import { announcements, dismiss } from '../state/announce.ts';
import { useStore } from '../state/store.ts';
import { Button } from './button.tsx';

/** Shows what was done and lets screen readers read it. */
export function Announcer(): JSX.Element {
  const shown = useStore(announcements);
  return (
    <div class="announcer" aria-live="polite">
      {shown.map(({ id, text, kind, undo }) => (
        <div key={id} class={kind === 'failed' ? 'toast failed' : 'toast'}>
          <p>{text}</p>
          {undo !== null && (
            <Button
              small
              kind="quiet"
              onClick={() => {
                dismiss(id);
                undo();
              }}
            >
              Undo
            </Button>
          )}
          <Button small kind="quiet" icon="close" label="Dismiss" onClick={() => dismiss(id)} />
        </div>
      ))}
    </div>
  );
}
