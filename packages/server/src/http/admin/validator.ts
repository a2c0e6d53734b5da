import type { FastifySchemaCompiler } from 'fastify';
import { Compile } from 'typebox/compile';
import type { TSchema } from 'typebox';

/**
 * Checks requests against the schemas of their routes, as they are: nothing is coerced, filled in or left out. Only
 * parameters, which are texts in a URL, become the numbers and truth values that they are written as.
 */
export const validatorCompiler: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const validator = Compile(schema);
  return (given: unknown) => {
    const value = httpPart === 'querystring' ? parametersOf(schema, given) : given;
    return validator.Check(value) ? { value } : { error: validator.Errors(value) as unknown as Error };
  };
};

function parametersOf(schema: TSchema, given: unknown): unknown {
  const { properties = {} } = schema as { properties?: Record<string, { type?: unknown }> };
  const parameters = Object.entries(given as Record<string, unknown>);
  return Object.fromEntries(parameters.map(([name, value]) => [name, typed(properties[name]?.type, value)]));
}

function typed(type: unknown, value: unknown): unknown {
  if (type === 'integer' && typeof value === 'string' && /^-?\d{1,15}$/.test(value)) return Number(value);
  if (type === 'boolean' && (value === 'true' || value === 'false')) return value === 'true';
  return value;
}
