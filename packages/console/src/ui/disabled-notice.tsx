import type { JSX } from 'preact';
import { post } from '../api/client.ts';
import type { Role } from '../../../server/src/domain/actor.ts';
import { announce } from '../state/announce.ts';
import { useMay } from '../state/session.ts';
import { useAction } from './action.ts';
import { Button } from './button.tsx';
import { Failure, Notice } from './notice.tsx';

/** Says that an API user or organisation is disabled, with a button that enables it. */
export function DisabledNotice(props: {
  title: string;
  /** That of the disabled one. */
  path: string;
  /** Less than this role does not see the button. */
  leastRole: Role;
  /** Screen readers read it when it is enabled. */
  enabled: string;
  onDone: () => void;
}): JSX.Element {
  const { title, path, leastRole, enabled, onDone } = props;
  const mayEnable = useMay(leastRole);
  const action = useAction(async () => {
    await post(`${path}/enable`);
    announce(enabled);
    onDone();
  });
  return (
    <Notice kind="warn" title={title}>
      {mayEnable && (
        <div>
          <Button small busy={action.busy} onClick={() => action.run()}>
            Undo: enable it
          </Button>
        </div>
      )}
      <Failure error={action.error} />
    </Notice>
  );
}
