import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { request } from '../api/client.ts';
import { plural, whole } from '../format.ts';
import { useAction } from '../ui/action.ts';
import { Button } from '../ui/button.tsx';
import { CancelButton, Dialog } from '../ui/dialog.tsx';
import { Field } from '../ui/field.tsx';
import { Form } from '../ui/form.tsx';
import { Failure, Notice } from '../ui/notice.tsx';

/** What became of a line, and at the end how many of each there were. */
type ReportLine =
  | { outcome: 'made'; line: number; client_id: string }
  | { outcome: 'refused'; line: number; detail: string }
  | { outcome: 'done'; made: number; refused: number; not_read: number };

const REFUSED_SHOWN_MAX = 50;

/** API users from a file, a JSON object a line, as an export has them. */
export function ImportApiUsers({
  onDone,
  onClose,
}: {
  onDone: () => void;
  onClose: () => void;
}): JSX.Element {
  const [file, setFile] = useState<File | null>(null);
  const [report, setReport] = useState<ReportLine[] | null>(null);
  const action = useAction(async () => {
    if (file === null) return;
    const { data } = await request<string>('POST', '/api-users/import', { ndjson: file });
    setReport(
      data
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as ReportLine),
    );
    onDone();
  });
  return (
    <Dialog title="Import API users" onClose={onClose}>
      {report !== null ? (
        <Report report={report} onClose={onClose} />
      ) : (
        <Form onSubmit={() => action.run()}>
          <p>
            A file with a JSON object a line, as Export makes it:{' '}
            <code>{'{"name": "Importer", "scopes": ["campaigns:read"]}'}</code>. Each line is made or refused
            by itself. Secrets are never in such a file; digests of secrets may be.
          </p>
          <Field label="File" hint="NDJSON: .ndjson, .jsonl">
            {(described) => (
              <input
                {...described}
                type="file"
                accept=".ndjson,.jsonl,application/x-ndjson"
                required
                onChange={(event) => setFile(event.currentTarget.files?.[0] ?? null)}
              />
            )}
          </Field>
          <Failure error={action.error} />
          <div class="form-actions">
            <CancelButton />
            <Button kind="primary" type="submit" busy={action.busy} disabled={file === null}>
              Import
            </Button>
          </div>
        </Form>
      )}
    </Dialog>
  );
}

function Report({ report, onClose }: { report: readonly ReportLine[]; onClose: () => void }): JSX.Element {
  const total = report.find((line) => line.outcome === 'done') ?? { made: 0, refused: 0, not_read: 0 };
  const refused = report.filter((line) => line.outcome === 'refused');
  return (
    <div class="stack">
      <Notice
        kind={total.refused + total.not_read === 0 ? 'good' : 'warn'}
        title={`${plural(total.made, 'API user')} made, ${whole(total.refused)} refused`}
        alert
      >
        {total.not_read > 0 && (
          <p>{plural(total.not_read, 'line')} beyond the most at a time: send them in another file.</p>
        )}
      </Notice>
      {refused.length > 0 && (
        <ul class="plain-list scroll">
          {refused.slice(0, REFUSED_SHOWN_MAX).map(({ line, detail }) => (
            <li key={line}>
              <strong>Line {whole(line)}</strong> <span class="breakable">{detail}</span>
            </li>
          ))}
        </ul>
      )}
      <div class="form-actions">
        <Button kind="primary" onClick={onClose}>
          Close
        </Button>
      </div>
    </div>
  );
}
