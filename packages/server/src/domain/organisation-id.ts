import { randomBase62 } from '../lib/random.ts';

const ID_PREFIX = 'org_';
const ID_LENGTH = 20;

/** Not in organisation.ts: the console reads that file, and a browser has no node:crypto. */
export function newOrganisationId(): string {
  return ID_PREFIX + randomBase62(ID_LENGTH);
}
