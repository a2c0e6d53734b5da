import { AppError } from '../domain/app-error.ts';
import { tokenLifeProblem } from '../domain/api-user.ts';
import { audienceSettingsFacts, changedFacts } from '../domain/audit-facts.ts';
import type { AudienceSettings } from '../domain/audience-settings.ts';
import { claimsFaults } from '../domain/claims.ts';
import type { Fault } from '../domain/fault.ts';
import { resourceProblem } from '../domain/grant.ts';
import type { StoreTransaction } from '../storage/store.ts';
import { AUDIENCE_SETTINGS_MAX } from '../storage/tables/audience-settings.ts';
import { refuseStale, type IfUnchanged } from './api-user.ts';
import { audited, type Change } from './audited.ts';

export type AudienceInput = Pick<AudienceSettings, 'audience' | 'claims' | 'tokenLifeSeconds'>;

/**
 * Sets the claims and token life of an audience. Without either, the settings are removed: the result then
 * has version 0.
 */
export async function setAudience(
  change: Change,
  input: AudienceInput,
  { ifVersion }: IfUnchanged = {},
): Promise<AudienceSettings> {
  const { audience } = input;
  const id = resourceProblem(audience) === null ? audience : null;
  const subject = { kind: 'audience_settings', id } as const;
  return await audited(change, { action: 'audience_settings.update', subject }, async (transaction) => {
    refuseFaults(input);
    const before = (await transaction.audienceSettings.find(audience)) ?? unset(audience);
    refuseStale(`audience ${audience}`, before, ifVersion);
    const facts = changedFacts(audienceSettingsFacts(before), audienceSettingsFacts({ ...before, ...input }));
    if (Object.keys(facts.after).length === 0) return { result: before, unchanged: true };
    const settings = { ...input, updatedAt: change.nowMs, version: before.version + 1 };
    const result = isUnset(settings) ? unset(audience) : settings;
    if (isUnset(settings)) await transaction.audienceSettings.delete(audience);
    else await save(transaction, settings);
    await transaction.changed('audience_settings', audience);
    return { result, ...facts };
  });
}

/** An audience without settings has version 0. */
function unset(audience: string): AudienceSettings {
  return { audience, claims: {}, tokenLifeSeconds: null, updatedAt: 0, version: 0 };
}

function isUnset({ claims, tokenLifeSeconds }: AudienceInput): boolean {
  return Object.keys(claims).length === 0 && tokenLifeSeconds === null;
}

async function save(transaction: StoreTransaction, settings: AudienceSettings): Promise<void> {
  const all = settings.version === 1 ? await transaction.audienceSettings.list() : [];
  if (all.length >= AUDIENCE_SETTINGS_MAX)
    throw new AppError(
      'conflict',
      `${AUDIENCE_SETTINGS_MAX} audiences have settings, the most there may be: remove those of another first.`,
    );
  await transaction.audienceSettings.put(settings);
}

function refuseFaults({ audience, claims, tokenLifeSeconds }: AudienceInput): void {
  const problems: [member: string, problem: string | null][] = [
    ['audience', resourceProblem(audience)],
    ['token_life_seconds', tokenLifeProblem(tokenLifeSeconds)],
  ];
  const faults: Fault[] = [
    ...problems.flatMap(([member, problem]) => (problem === null ? [] : [{ member, problem }])),
    ...claimsFaults(claims),
  ];
  if (faults.length === 0) return;
  throw new AppError('invalid', faults.map(({ problem }) => problem).join('\n'), { faults });
}
