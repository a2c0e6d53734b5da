import type { JSX } from 'preact';
import { useLocation } from 'preact-iso/router';
import { pendingLeave } from '../state/leave-guard.ts';
import { useStore } from '../state/store.ts';
import { Button } from './button.tsx';
import { Dialog } from './dialog.tsx';

/** Asks before the operator leaves unsaved input. */
export function LeaveDialog(): JSX.Element | null {
  const { route } = useLocation();
  const pending = useStore(pendingLeave);
  if (pending === null) return null;
  const { question, leave } = pending;
  const stay = () => pendingLeave.set(null);
  return (
    <Dialog title={question.title} onClose={stay}>
      <p>{question.text}</p>
      <div class="form-actions">
        <Button
          kind="danger-quiet"
          onClick={() => {
            stay();
            leave(route);
          }}
        >
          Leave
        </Button>
        <Button kind="primary" onClick={stay}>
          Stay here
        </Button>
      </div>
    </Dialog>
  );
}
