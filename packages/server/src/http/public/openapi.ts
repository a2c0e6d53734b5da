import type { Config } from '../../config/config.ts';
import type { Description } from '../operation.ts';
import { JSON_TYPE, type Document } from './document.ts';
import { ownRoute, type PublicRoute } from './public-route.ts';

/** What the endpoints say about themselves. */
export interface EndpointDescriptions {
  /** Operations by method, by path. */
  paths: Readonly<Record<string, Description>>;
  schemas: Description;
  headers: Description;
}

/** The OpenAPI 3.1 document of the public endpoints, built with the first request for it. */
export function openapiRoute(config: Pick<Config, 'issuer' | 'basePath'>, version: string): PublicRoute {
  let document: Document | undefined;
  return ownRoute('/openapi.json', async () => {
    const { endpointDescriptions } = await import('../endpoint-descriptions.ts');
    const describe = () => bodyOf(config, version, endpointDescriptions(config.basePath));
    return (document ??= { status: 200, headers: [], type: JSON_TYPE, body: describe() });
  });
}

function bodyOf(
  { issuer, basePath }: Pick<Config, 'issuer' | 'basePath'>,
  version: string,
  { paths, schemas, headers }: EndpointDescriptions,
): string {
  const origin = issuer.endsWith(basePath) ? issuer.slice(0, -basePath.length) : new URL(issuer).origin;
  return JSON.stringify({
    openapi: '3.1.0',
    info: {
      title: 'Mintmark',
      version,
      description:
        'Trades the credentials of an API user for an access token (OAuth 2.0 client credentials grant).',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: origin }],
    paths: { ...paths, '/openapi.json': OPENAPI_OPERATIONS },
    components: { schemas, headers, securitySchemes: { basic: { type: 'http', scheme: 'basic' } } },
  });
}

const OPENAPI_OPERATIONS: Description = {
  get: {
    operationId: 'getDescription',
    summary: 'This document.',
    security: [],
    responses: {
      '200': {
        description: 'OpenAPI 3.1.',
        content: { 'application/json': { schema: { type: 'object' } } },
      },
    },
  },
};
