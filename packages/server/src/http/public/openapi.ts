import type { FastifyInstance } from 'fastify';
import type { Config } from '../../config/config.ts';
import type { Description } from '../operation.ts';

/** What the endpoints say about themselves. */
export interface EndpointDescriptions {
  /** Operations by method, by path. */
  paths: Readonly<Record<string, Description>>;
  schemas: Description;
  headers: Description;
}

/** Serves the OpenAPI 3.1 document of the public endpoints at `/openapi.json`. */
export function openapiRoute(
  app: FastifyInstance,
  { issuer, basePath }: Pick<Config, 'issuer' | 'basePath'>,
  version: string,
  { paths, schemas, headers }: EndpointDescriptions,
): void {
  const origin = issuer.endsWith(basePath) ? issuer.slice(0, -basePath.length) : new URL(issuer).origin;
  const document = {
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
  };
  const body = JSON.stringify(document);
  app.get('/openapi.json', (_request, reply) => reply.type('application/json').send(body));
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
