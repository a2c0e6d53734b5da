import Type, { type TObject, type TString } from 'typebox';
import type { Needs } from './admin-app.ts';
import { text } from './schema.ts';

/** Where the routes of members are: the portal has the organisation in the path of all its routes. */
export interface MemberRoutes {
  /** Before `/members`. */
  path: string;
  /** The rights that changes need. */
  changes: Extract<Needs, 'write' | 'admin'>;
}

const ID_LENGTH_MAX = 100;
const organisationId = text('Id of the organisation', ID_LENGTH_MAX);
export const memberPath: TObject<{ organisation_id: TString; id: TString }> = Type.Object({
  organisation_id: organisationId,
  id: text('Id of the member, or of the invitation', ID_LENGTH_MAX),
});
