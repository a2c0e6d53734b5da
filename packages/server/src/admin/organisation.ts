import { reaches, type Actor } from '../domain/actor.ts';
import { AppError } from '../domain/app-error.ts';
import type { Organisation } from '../domain/organisation.ts';
import type { Store } from '../storage/store.ts';

/** Throws the same AppError for an organisation that the actor may not know of. */
export async function existingOrganisation(
  rows: Pick<Store, 'organisations'>,
  id: string,
  actor: Actor,
): Promise<Organisation> {
  const organisation = reaches(actor, id) ? await rows.organisations.find(id) : undefined;
  if (organisation !== undefined) return organisation;
  throw new AppError('not_found', `There is no organisation "${id}".`, {
    hint: ': mintmark organisation list shows all.',
  });
}
