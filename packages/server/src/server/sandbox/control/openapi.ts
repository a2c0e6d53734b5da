import swagger from '@fastify/swagger';
import Type from 'typebox';
import type { AdminApp } from '../../../http/admin/admin-app.ts';
import { problemSchema, ref } from '../../../http/admin/schema.ts';
import { VERSION } from '../../../lib/version.ts';

export const CONTROL_PATH = '/v1';

/** Serves the OpenAPI 3.1 document of the control API. Register routes after this call. */
export async function controlDocument(app: AdminApp, controlUrl: () => string): Promise<void> {
  app.addSchema(problemSchema);
  app.addHook('onRoute', (route) => {
    route.schema = {
      ...route.schema,
      security: [],
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
        title: 'Mintmark sandbox',
        version: VERSION,
        description:
          'Controls a sandbox for tests: API users, clock, faults and the journal of requests. Only programs of ' +
          'the same machine reach it. Errors are problem details (RFC 9457).',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
    },
    convertConstToEnum: false,
    refResolver: { buildLocalReference: (schema) => schema.$id as string },
    stripBasePath: false,
    transform: ({ schema, url }) => ({ schema, url: url.slice(CONTROL_PATH.length) }),
  });
  let text: string | undefined;
  app.get(
    '/openapi.json',
    {
      schema: {
        operationId: 'getControlDescription',
        summary: 'This document.',
        tags: ['Sandbox'],
        response: { 200: Type.Unsafe<string>({ type: 'object', description: 'OpenAPI 3.1' }) },
      },
    },
    async (_request, reply) => {
      reply.type('application/json');
      return (text ??= JSON.stringify({ ...app.swagger(), servers: [{ url: controlUrl() }] }));
    },
  );
}

function problemResponse(description: string): object {
  return { description, content: { 'application/problem+json': { schema: ref(problemSchema) } } };
}
