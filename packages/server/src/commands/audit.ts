import { InvalidArgumentError, Option, type Command } from 'commander';
import {
  AUDIT_ACTIONS,
  AUDIT_OUTCOMES,
  type AuditLink,
  type AuditOutcome,
  type NamedAuditEntry,
} from '../domain/audit-entry.ts';
import type { ChainFault } from '../domain/audit-chain.ts';
import { exportAudit, listAudit, verifyAudit, type AuditVerification } from '../admin/audit.ts';
import { parseTime } from '../domain/parse-time.ts';
import type { AuditFilter } from '../domain/audit-filter.ts';
import { auditEntryJson, auditVerificationJson } from '../http/admin/audit-entry.wire.ts';
import { commandLineActor, commandLineChange } from './actor.ts';
import { AppError } from '../domain/app-error.ts';
import { json, table, time, type Io } from './io.ts';
import { addSettings, atLeastOne, storeCommand, STORE_SETTINGS, withStore } from './options.ts';

export function auditCommand(program: Command, io: Io): void {
  const parent = program.command('audit').description('Read, export and verify the audit log.');
  parent.addHelpText('after', '\nExample:\n  mintmark audit list --subject api_…');
  list(parent, io);
  verify(parent, io);
  exportTo(parent, io);
}

interface FilterOptions {
  actor?: string;
  action?: string;
  subject?: string;
  outcome?: AuditOutcome;
  search?: string;
  from?: number;
  to?: number;
}

function filterOptions(command: Command): Command {
  return command
    .option('--actor <id>', 'Changes by this operator (id), API user, or user of the operating system.')
    .addOption(new Option('--action <action>', 'Changes of this kind.').choices(AUDIT_ACTIONS))
    .option('--subject <id>', 'Changes to this credential, signing key, or API user with its credentials.')
    .addOption(
      new Option('--outcome <outcome>', 'What was done, or what was refused.').choices(AUDIT_OUTCOMES),
    )
    .option(
      '--search <text>',
      'Entries with this text in a name, id, address, reason or changed value, in any letter case.',
    )
    .option('--from <time>', 'Entries at or after this time: 2026-03-01 or 2026-03-01T12:00:00Z.', moment)
    .option('--to <time>', 'Entries before this time.', moment);
}

function filterOf({ actor, action, subject, outcome, search, from, to }: FilterOptions): AuditFilter {
  return {
    actor: actor ?? null,
    action: action ?? null,
    subject: subject ?? null,
    outcome: outcome ?? null,
    search: search?.trim() || null,
    from: from ?? null,
    to: to ?? null,
  };
}

function moment(text: string): number {
  const ms = parseTime(text);
  if (ms !== null) return ms;
  throw new InvalidArgumentError('Give a day or a time: 2026-03-01 or 2026-03-01T12:00:00Z.');
}

function list(parent: Command, io: Io): void {
  const command = storeCommand(parent, 'list', 'List changes and refused attempts, the newest first.');
  filterOptions(command)
    .option('--after <page>', 'The next page, as the page before names it.')
    .option('--limit <number>', 'How many at most.', atLeastOne, 50);
  addSettings(command, STORE_SETTINGS).addHelpText(
    'after',
    '\nExample:\n  mintmark audit list --outcome refused --from 2026-03-01',
  );
  command.action(async (options: FilterOptions & { after?: string; limit: number; json?: boolean }) => {
    const page = { after: options.after ?? null, limit: options.limit };
    const { items, next } = await withStore(command, io, (store) =>
      listAudit({ store, actor: commandLineActor() }, filterOf(options), page),
    );
    if (options.json === true) return io.out(json({ items: items.map(auditEntryJson), next }));
    if (items.length === 0 && next === null) return io.err('The audit log has no such entry.');
    io.out(table(['TIME', 'N', 'WHO', 'FROM', 'ACTION', 'OUTCOME', 'WHAT'], items.map(row)));
    if (next !== null) io.err(`\nMore: the same with --after ${next}`);
  });
}

function row(entry: NamedAuditEntry): string[] {
  const { subjectId, subjectName, relatedId, relatedName } = entry;
  const of = relatedId === null ? '' : ` of ${withName(relatedId, relatedName)}`;
  return [
    time(entry.at),
    String(entry.n),
    entry.actorName,
    entry.actorAddress ?? '-',
    entry.action,
    entry.outcome,
    `${entry.subjectKind} ${withName(subjectId ?? '-', subjectName)}${of}${entry.reason === null ? '' : `: ${entry.reason}`}`,
  ];
}

function withName(id: string, name: string | null): string {
  return name === null ? id : `${id} (${name})`;
}

function verify(parent: Command, io: Io): void {
  const command = storeCommand(
    parent,
    'verify',
    'Follow the chain of hashes of the audit log from end to end.',
  );
  command.option(
    '--head <n:hash>',
    'An end of the log that was noted earlier: it must be in the chain.',
    link,
  );
  addSettings(command, STORE_SETTINGS).addHelpText(
    'after',
    '\nExit code 6 where an entry was changed, removed or added. Who can write the whole store can make a new chain:' +
      '\nnote the head that this prints somewhere else, and give it with --head the next time.' +
      '\n\nExample:\n  mintmark audit verify --head 1204:9f2c…',
  );
  command.action(async (options: { head?: AuditLink; json?: boolean }) => {
    const verification = await withStore(command, io, (store) => verifyAudit(store, options.head ?? null));
    const { entries, head, removed, firstBad, noted } = verification;
    if (options.json === true) {
      io.out(json({ ...auditVerificationJson(verification), noted }));
    } else {
      io.out(`entries  ${entries}`);
      if (removed.n > 0) io.out(`removed  up to ${removed.n}`);
      io.out(`head     ${head.n}:${head.hash}`);
      if (noted === 'removed') io.err('\nThe head that was noted is of an entry that was removed since.');
    }
    if (firstBad !== null) throw new AppError('check_failed', sentence(firstBad, verification));
    if (options.json !== true) io.err('\nThe chain is whole.');
  });
}

function sentence({ n, fault }: ChainFault, { head }: AuditVerification): string {
  switch (fault) {
    case 'changed':
      return `The audit log was tampered with: entry ${n} is not as it was written, or the one before it is another.`;
    case 'missing':
      return `The audit log was tampered with: entry ${n} is missing.`;
    case 'added':
      return `The audit log was tampered with: entry ${n} was added by hand; the last one written is ${head.n}.`;
    case 'unlike':
      return `The audit log was tampered with: entry ${n} is not the one whose hash was noted.`;
  }
}

function link(text: string): AuditLink {
  const [, n, hash] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text) ?? [];
  if (n !== undefined && hash !== undefined) return { n: Number(n), hash };
  throw new InvalidArgumentError('Give a number and a hash, as this command prints them: 1204:9f2c…');
}

function exportTo(parent: Command, io: Io): void {
  const command = parent
    .command('export')
    .description('Write the audit log to standard output, oldest entry first, one JSON object per line.');
  addSettings(filterOptions(command), STORE_SETTINGS).addHelpText(
    'after',
    '\nThe audit log records the export.' +
      '\n\nExample:\n  mintmark audit export --to 2026-04-01 > audit-2026-q1.ndjson',
  );
  command.action(async (options: FilterOptions) => {
    await withStore(command, io, async (store) => {
      for await (const entry of exportAudit(commandLineChange(store), filterOf(options))) {
        io.out(JSON.stringify(auditEntryJson(entry)));
      }
    });
  });
}
