import type { JSX } from 'preact';
import { useLeaveGuard } from '../state/leave-guard.ts';
import { Button } from './button.tsx';
import { CodeBlock } from './copy.tsx';
import { Dialog } from './dialog.tsx';
import { Notice } from './notice.tsx';
import { At } from './time.tsx';

interface LinkProps {
  /** Says what the receiver does with it. */
  text: string;
  url: string;
  expiresAt: string;
  onClose: () => void;
}

/** Shows the link of an invitation, once. */
export function LinkOnce({ title, ...link }: LinkProps & { title: string }): JSX.Element {
  return (
    <Dialog title={title} onClose={link.onClose}>
      <Link {...link} />
    </Dialog>
  );
}

const WITHOUT_LINK = {
  title: 'Leave without the link?',
  text: 'It cannot be shown again. If you have not passed it on, create a new one.',
};

function Link({ text, url, expiresAt, onClose }: LinkProps): JSX.Element {
  useLeaveGuard(true, WITHOUT_LINK);
  return (
    <>
      <Notice kind="warn" title="It is shown only once">
        <p>
          {text} It ends <At at={expiresAt} />.
        </p>
      </Notice>
      <CodeBlock text={url} what="invitation link" />
      <div class="form-actions">
        <Button kind="primary" onClick={onClose}>
          I have passed it on
        </Button>
      </div>
    </>
  );
}
