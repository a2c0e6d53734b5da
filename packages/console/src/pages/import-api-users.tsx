import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { request } from '../api/client.ts';
import { plural, whole } from '../format.ts';
import { useAction } from '../ui/action.ts';
import { Button } from '../ui/button.tsx';
import { CancelButton, Dialog } from '../ui/dialog.tsx';
import { Field } from '../ui/field.tsx';
import { Form, FormEnd } from '../ui/form.tsx';
import { Failure, Notice } from '../ui/notice.tsx';

/** The result of a line, or the counts at the end; the same for a dry run. */
type ReportLine =
  | { outcome: 'made' | 'would_make'; line: number; client_id: string | null }
  | { outcome: 'exists'; line: number; client_id: string | null; differs: string[] }
  | { outcome: 'refused'; line: number; detail: string }
  | Total;

type Total = { refused: number; exists: number; not_read: number } & (
  | { outcome: 'done'; made: number }
  | { outcome: 'checked'; would_make: number }
);

const LINES_SHOWN_MAX = 200;

async function send(file: File, dryRun: boolean): Promise<ReportLine[]> {
  const path = `/api-users/import${dryRun ? '?dry_run=true' : ''}`;
  const { data } = await request<string>('POST', path, { ndjson: file });
  return data
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as ReportLine);
}

/** Imports API users from a file: first a preview of each line, then the import after confirmation. */
export function ImportApiUsers(props: { onDone: () => void; onClose: () => void }): JSX.Element {
  const { onDone, onClose } = props;
  const [file, setFile] = useState<File | null>(null);
  const [report, setReport] = useState<ReportLine[] | null>(null);
  const check = useAction(async () => {
    if (file !== null) setReport(await send(file, true));
  });
  const make = useAction(async () => {
    if (file === null) return;
    setReport(await send(file, false));
    onDone();
  });
  return (
    <Dialog title="Import API users" onClose={onClose}>
      {report !== null ? (
        <div class="stack">
          <Report report={report} />
          <Failure error={make.error} />
          <ReportActions
            report={report}
            busy={make.busy}
            onImport={() => make.run()}
            onBack={() => setReport(null)}
            onClose={onClose}
          />
        </div>
      ) : (
        <Form onSubmit={() => check.run()}>
          <p>
            A file with one JSON object per line, as written by Export:{' '}
            <code>{'{"name": "Importer", "external_id": "crm-17", "scopes": ["campaigns:read"]}'}</code>; or a
            JSON array; or CSV whose first line names the columns. First you see what would become of each
            line. No line makes its API user twice. Secrets are never in such a file; digests of secrets may
            be.
          </p>
          <Field label="File" hint="NDJSON, JSON or CSV">
            {(described) => (
              <input
                {...described}
                type="file"
                accept=".ndjson,.jsonl,.json,.csv,application/x-ndjson,application/json,text/csv"
                required
                onChange={(event) => setFile(event.currentTarget.files?.[0] ?? null)}
              />
            )}
          </Field>
          <FormEnd action={check} verb="Check the file" disabled={file === null} before={<CancelButton />} />
        </Form>
      )}
    </Dialog>
  );
}

function totalOf(report: readonly ReportLine[]): Total {
  const last = report.at(-1);
  if (last?.outcome === 'done' || last?.outcome === 'checked') return last;
  return { outcome: 'checked', would_make: 0, refused: 0, exists: 0, not_read: 0 };
}

function ReportActions(props: {
  report: readonly ReportLine[];
  busy: boolean;
  onImport: () => void;
  onBack: () => void;
  onClose: () => void;
}): JSX.Element {
  const { report, busy, onImport, onBack, onClose } = props;
  const total = totalOf(report);
  if (total.outcome === 'done') {
    return (
      <div class="form-actions">
        <Button kind="primary" onClick={onClose}>
          Close
        </Button>
      </div>
    );
  }
  return (
    <div class="form-actions">
      <Button onClick={onBack}>Another file</Button>
      <Button kind="primary" busy={busy} disabled={total.would_make === 0} onClick={onImport}>
        {`Import ${plural(total.would_make, 'API user')}`}
      </Button>
    </div>
  );
}

function Report({ report }: { report: readonly ReportLine[] }): JSX.Element {
  const total = totalOf(report);
  const lines = report.filter((line) => 'line' in line);
  // Lines that need attention come first.
  const sorted = [...lines.filter(isRefused), ...lines.filter((line) => !isRefused(line))];
  const summary =
    total.outcome === 'done'
      ? `${plural(total.made, 'API user')} created`
      : `${plural(total.would_make, 'API user')} would be created`;
  return (
    <>
      <Notice
        kind={total.refused + total.not_read === 0 ? 'good' : 'warn'}
        title={`${summary}, ${whole(total.refused)} refused, ${whole(total.exists)} there already`}
        alert
      >
        {total.outcome === 'checked' && <p>Nothing is created yet.</p>}
        {total.not_read > 0 && (
          <p>{plural(total.not_read, 'line')} beyond the most at a time: send them in another file.</p>
        )}
      </Notice>
      <ul class="plain-list scroll">
        {sorted.slice(0, LINES_SHOWN_MAX).map((line) => (
          <li key={line.line}>
            <strong>Line {whole(line.line)}</strong> <span class="breakable">{textOf(line)}</span>
          </li>
        ))}
      </ul>
      {lines.length > LINES_SHOWN_MAX && (
        <p class="hint">{`${whole(lines.length - LINES_SHOWN_MAX)} more lines are not shown.`}</p>
      )}
    </>
  );
}

function isRefused(line: ReportLine): boolean {
  return line.outcome === 'refused';
}

function textOf(line: Exclude<ReportLine, Total>): string {
  switch (line.outcome) {
    case 'made':
      return `created: ${line.client_id ?? ''}`;
    case 'would_make':
      return line.client_id === null
        ? 'would be created, with a new client id'
        : `would be created: ${line.client_id}`;
    case 'exists':
      return (
        `there already${line.client_id === null ? ', from an earlier line' : `: ${line.client_id}`}` +
        (line.differs.length === 0 ? '' : `; not changed, although it differs in ${line.differs.join(', ')}`)
      );
    case 'refused':
      return `refused: ${line.detail}`;
  }
}
