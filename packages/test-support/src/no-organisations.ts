import { knownOrganisation, NO_ORGANISATION } from '../../server/src/domain/known-organisation.ts';
import type { Organisations } from '../../server/src/runtime/directory/organisations.ts';

/** For a directory whose API users belong to no organisation. */
export const NO_ORGANISATIONS: Pick<Organisations, 'add' | 'get'> = {
  add: () => undefined,
  get: (id) => knownOrganisation(id, NO_ORGANISATION),
};
