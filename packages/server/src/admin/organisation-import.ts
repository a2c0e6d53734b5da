import { AppError } from '../domain/app-error.ts';
import { changedFacts, organisationFacts } from '../domain/audit-facts.ts';
import type { Organisation } from '../domain/organisation.ts';
import { readOrganisationLine } from '../domain/organisation-line.ts';
import { organisationRecord, type OrganisationRecord } from '../domain/organisation-record.ts';
import type { TextLine } from '../lib/text-lines.ts';
import type { Store } from '../storage/store.ts';
import { audited, type Change } from './audited.ts';
import { invalid, jsonOf, refusedLineJson } from './import-line.ts';
import { insertOrganisation } from './organisation.ts';

/** Organisations read at a time. */
const PAGE = 200;

/** Yields all organisations in the order of their ids. */
export async function* exportOrganisations({
  organisations,
}: Pick<Store, 'organisations'>): AsyncGenerator<OrganisationRecord, void, undefined> {
  for (let after = ''; ;) {
    const page: Organisation[] = await organisations.page(after, PAGE);
    yield* page.map(organisationRecord);
    after = page.at(-1)?.id ?? '';
    if (page.length < PAGE) return;
  }
}

/** The outcome of one line. */
export type ImportedOrganisation =
  | { line: number; created: { id: string } }
  /** An organisation with the id or external id of the line exists: the import leaves it unchanged. */
  | { line: number; there: { id: string; differs: string[] } }
  /** Only of a dry run. */
  | { line: number; wouldMake: { id: string } }
  | { line: number; refused: AppError };

/**
 * Makes an organisation from each line (NDJSON, as an export writes it) and yields the outcomes in the order
 * of the lines. Each line is one transaction with its audit entry. Blank lines are skipped. A dry run checks
 * each line without the lines before it.
 */
export async function* importOrganisations(
  changeNow: () => Change,
  lines: AsyncIterable<TextLine>,
  dryRun: boolean,
): AsyncGenerator<ImportedOrganisation, void, undefined> {
  for await (const { n: line, text } of lines) {
    if (typeof text === 'string' && text.trim() === '') continue;
    try {
      const change = changeNow();
      const organisation = readOrganisationLine(jsonOf(text), change.nowMs);
      if (Array.isArray(organisation)) throw invalid(organisation);
      yield { line, ...(await outcomeOf(change, organisation, dryRun)) };
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      yield { line, refused: error };
    }
  }
}

type Outcome =
  | { created: { id: string } }
  | { there: { id: string; differs: string[] } }
  | { wouldMake: { id: string } };

async function outcomeOf(change: Change, organisation: Organisation, dryRun: boolean): Promise<Outcome> {
  const { id } = organisation;
  const existing = await existingLike(change.store, organisation);
  if (existing !== undefined) return { there: existing };
  if (dryRun) return { wouldMake: { id } };
  const attempt = { action: 'organisation.import', subject: { kind: 'organisation', id } } as const;
  return await audited(change, attempt, async (transaction) => {
    await insertOrganisation(transaction, organisation);
    return { result: { created: { id } }, organisationId: id, after: organisationFacts(organisation) };
  });
}

/** The organisation with the id or external id of the line. */
async function existingLike(
  { organisations }: Pick<Store, 'organisations'>,
  organisation: Organisation,
): Promise<{ id: string; differs: string[] } | undefined> {
  const { id, externalId } = organisation;
  const byId = await organisations.find(id);
  const byExternalId = externalId === null ? undefined : await organisations.findByExternalId(externalId);
  const existing = byId ?? byExternalId;
  if (existing === undefined) return undefined;
  const { after } = changedFacts(organisationFacts(existing), organisationFacts(organisation));
  return { id: existing.id, differs: Object.keys(after) };
}

/** The outcome of a line, as the command line reports it. */
export function importedOrganisationJson(imported: ImportedOrganisation): Record<string, unknown> {
  const { line } = imported;
  if ('created' in imported) return { line, outcome: 'made', ...imported.created };
  if ('wouldMake' in imported) return { line, outcome: 'would_make', ...imported.wouldMake };
  if ('there' in imported) return { line, outcome: 'exists', ...imported.there };
  return refusedLineJson(line, imported.refused);
}
