import { createRequire } from 'node:module';
import type { FastifySchemaCompiler, FastifySerializerCompiler, FastifyServerOptions } from 'fastify';
import type { TSchema } from 'typebox';
import type { Compile, Validator } from 'typebox/compile';

/**
 * Compiles each schema at its first use. Compiling all of them took half of the start, apart from loading
 * modules, and a process that only issues tokens needs none.
 */
export function lazyCompilers(): Compilers {
  return { buildValidator: () => validatorCompiler, buildSerializer } as unknown as Compilers;
}

type Compilers = NonNullable<NonNullable<FastifyServerOptions['schemaController']>['compilersFactory']>;

/**
 * Checks requests against the schemas of their routes. It does not coerce values, add defaults or remove
 * members. Only query parameters, which are texts in a URL, become numbers and booleans.
 */
const validatorCompiler: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  let validator: Validator | undefined;
  return (input: unknown) => {
    validator ??= validatorOf(schema);
    const value = httpPart === 'querystring' ? parametersOf(schema, input) : input;
    return validator.Check(value) ? { value } : { error: validator.Errors(value) as unknown as Error };
  };
};

function parametersOf(schema: TSchema, input: unknown): unknown {
  const { properties = {} } = schema as { properties?: Record<string, { type?: unknown }> };
  const parameters = Object.entries(input as Record<string, unknown>);
  return Object.fromEntries(parameters.map(([name, value]) => [name, typed(properties[name]?.type, value)]));
}

function typed(type: unknown, value: unknown): unknown {
  if (type === 'integer' && typeof value === 'string' && /^-?\d{1,15}$/.test(value)) return Number(value);
  if (type === 'boolean' && (value === 'true' || value === 'false')) return value === 'true';
  return value;
}

type BuildSerializer = (externalSchemas: unknown, options: unknown) => FastifySerializerCompiler<unknown>;

/** Fastify's own serializers, which omit members that the schema of an answer does not name. */
function buildSerializer(externalSchemas: unknown, options: unknown): FastifySerializerCompiler<unknown> {
  let compile: FastifySerializerCompiler<unknown> | undefined;
  return (route) => {
    let serialize: ((data: unknown) => string) | undefined;
    return (data) => {
      compile ??= fastifySerializers()(externalSchemas, options);
      serialize ??= compile(route);
      return serialize(data);
    };
  };
}

// Not imported above, because loading these modules is part of the cost.
const require = createRequire(import.meta.url);

function validatorOf(schema: TSchema): Validator {
  const compiler = require('typebox/compile') as { Compile: typeof Compile };
  return compiler.Compile(schema) as Validator;
}

function fastifySerializers(): BuildSerializer {
  const { SerializerSelector } = require('@fastify/fast-json-stringify-compiler') as {
    SerializerSelector: () => BuildSerializer;
  };
  return SerializerSelector();
}
