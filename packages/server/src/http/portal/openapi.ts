import type { RouteOptions } from 'fastify';
import Type, { type TObject } from 'typebox';
import type { ApiDescription } from '../admin/openapi.ts';
import { PORTAL_PATH } from '../paths.ts';

export const PORTAL_API: ApiDescription = {
  title: 'Mintmark portal API',
  description:
    'Members of an organisation manage its API users. It has routes of the admin API, below the organisation, and reaches ' +
    'nothing else.',
  path: PORTAL_PATH,
  operationId: 'getPortalDescription',
  needs: {
    nothing: 'For anybody.',
    session: 'For every person who is signed in.',
    read: 'For members of the organisation, and for operators who view it.',
    write: 'For members of the organisation.',
    admin: 'For members with the role `admin`. Operators who view the organisation may read it.',
  },
  bearer: false,
};

/** Adds the organisation in the path to the parameters of a route. */
export function inOrganisation(route: RouteOptions): void {
  if (!route.url.includes('/:organisation_id')) return;
  const { properties } = (route.schema?.params ?? {}) as Partial<TObject>;
  const organisation = Type.String({ description: 'Id of the organisation' });
  route.schema = {
    ...route.schema,
    params: Type.Object({ organisation_id: organisation, ...properties }),
  };
}
