import type { Actor } from '../domain/actor.ts';
import type { Organisation } from '../domain/organisation.ts';
import { startOf, UNIT_MS, type UsageUnit } from '../domain/usage.ts';
import type { Store } from '../storage/store.ts';
import { existingOrganisation } from './organisation.ts';

export interface OrganisationSummary {
  organisation: Organisation;
  apiUsers: { total: number; enabled: number };
  members: number;
  /** Tokens of its API users in the present hour and day (UTC), as far as that is written. */
  tokens: { hour: number; day: number };
}

export async function summariseOrganisation(
  store: Store,
  id: string,
  { actor, nowMs }: { actor: Actor; nowMs: number },
): Promise<OrganisationSummary> {
  const organisation = await existingOrganisation(store, id, actor);
  const [apiUsers, members, hour, day] = await Promise.all([
    store.apiUsers.countIn(id),
    store.members.listOf(id),
    tokensIn(store, id, 'hour', nowMs),
    tokensIn(store, id, 'day', nowMs),
  ]);
  return { organisation, apiUsers, members: members.length, tokens: { hour, day } };
}

async function tokensIn(store: Store, id: string, unit: UsageUnit, nowMs: number): Promise<number> {
  const from = startOf(unit, nowMs);
  const points = await store.usage.series(id, unit, from, from + UNIT_MS[unit]);
  return points.reduce((sum, { tokens }) => sum + tokens, 0);
}
