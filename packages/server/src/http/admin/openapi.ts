import swagger from '@fastify/swagger';
import Type from 'typebox';
import type { Config } from '../../config/config.ts';
import { ADMIN_PATH } from '../paths.ts';
import type { AdminApp, Needs } from './admin-app.ts';
import { problemSchema, ref } from './schema.ts';

/** Name of the cookie that holds an operator's session. */
export const SESSION_COOKIE = '__Host-mintmark_session';

/** What the document says about a whole API. */
export interface ApiDescription {
  title: string;
  description: string;
  /** Below the base path. */
  path: string;
  /** The operation that reads the document. */
  operationId: string;
  /** The sentence that ends the description of each operation. */
  needs: Record<Needs, string>;
  /** Whether callers may use an access token in place of a session. */
  bearer: boolean;
}

/**
 * Serves the OpenAPI 3.1 document of an API, built from the schemas that validate. Register routes after this
 * call.
 */
export async function apiDocument(
  app: AdminApp,
  api: ApiDescription,
  version: string,
  { issuer, basePath }: Pick<Config, 'issuer' | 'basePath'>,
): Promise<void> {
  const bearer = api.bearer ? [{ bearer: [] }] : [];
  app.addSchema(problemSchema);
  app.addHook('onRoute', (route) => {
    const needs = route.config?.needs ?? 'admin';
    route.schema = {
      ...route.schema,
      description: [route.schema?.description, api.needs[needs]].filter(Boolean).join(' '),
      security: needs === 'nothing' ? [] : [{ session: [] }, ...bearer],
      response: {
        ...(route.schema?.response as object),
        '4xx': problemResponse('Refused'),
        '5xx': problemResponse('Failed'),
      },
    };
  });
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: api.title,
        version,
        description: `${api.description} Errors are problem details (RFC 9457).`,
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: issuer + api.path }],
      components: {
        securitySchemes: {
          session: { type: 'apiKey', in: 'cookie', name: SESSION_COOKIE },
          ...(api.bearer && { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } as const }),
        },
      },
    },
    stripBasePath: false,
    convertConstToEnum: false,
    refResolver: { buildLocalReference: (schema) => schema.$id as string },
    transform: ({ schema, url }) => ({ schema, url: url.slice(basePath.length + api.path.length) }),
    transformObject: (document) =>
      'openapiObject' in document ? withOptionalBodies(document.openapiObject) : document.swaggerObject,
  });
  let text: string | undefined;
  app.get(
    '/openapi.json',
    {
      config: { needs: 'nothing' },
      schema: {
        operationId: api.operationId,
        summary: 'This document.',
        tags: ['Description'],
        response: { 200: Type.Unsafe<string>({ type: 'object', description: 'OpenAPI 3.1' }) },
      },
    },
    async (_request, reply) => {
      reply.type('application/json');
      return (text ??= JSON.stringify(app.swagger()));
    },
  );
}

const NEEDS: Record<Needs, string> = {
  nothing: 'For anybody.',
  session:
    'For every person who is signed in, and for tokens with the scope `mintmark:read` or `mintmark:admin`.',
  read: 'For operators of every role, and for tokens with the scope `mintmark:read` or `mintmark:admin`.',
  write: 'For operators with the role `operator` or `admin`, and for tokens with the scope `mintmark:admin`.',
  admin: 'For operators with the role `admin`, and for tokens with the scope `mintmark:admin`.',
};

export const ADMIN_API: ApiDescription = {
  title: 'Mintmark admin API',
  description: 'Manages API users, their credentials, organisations, signing keys and operators.',
  path: ADMIN_PATH,
  operationId: 'getAdminDescription',
  needs: NEEDS,
  bearer: true,
};

function problemResponse(description: string): object {
  return { description, content: { 'application/problem+json': { schema: ref(problemSchema) } } };
}

/** Marks a request body as optional if all its members are optional. */
function withOptionalBodies<D extends { paths?: object }>(document: D): D {
  for (const operations of Object.values(document.paths ?? {}) as Record<string, Operation>[]) {
    for (const { requestBody } of Object.values(operations)) {
      const schema = requestBody?.content?.['application/json']?.schema;
      if (requestBody !== undefined && schema !== undefined && schema.required === undefined)
        requestBody.required = false;
    }
  }
  return document;
}

interface Operation {
  requestBody?: { required?: boolean; content?: Record<string, { schema?: { required?: string[] } }> };
}
