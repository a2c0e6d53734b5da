// How an endpoint describes itself in the OpenAPI document. Each file exports its descriptions beside its
// code, and endpoint-descriptions.ts collects them.

/** Named parts of the OpenAPI document: operations by method, or schemas or headers by name. */
export type Description = Readonly<Record<string, unknown>>;

export const text: Description = { type: 'string' };
export const texts: Description = { type: 'array', items: text };
export const whole: Description = { type: 'integer', minimum: 0 };

export function header(description: string, schema: Description = text): Description {
  return { description, schema };
}

export function headerReferences(names: readonly string[]): Description {
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}

/** A response with a body of the named schema. */
export function jsonResponse(
  description: string,
  schema: string,
  mediaType = 'application/json',
): Description {
  return { description, content: { [mediaType]: { schema: { $ref: `#/components/schemas/${schema}` } } } };
}

/** A GET without credentials that always succeeds. */
export function getOperation(
  operationId: string,
  summary: string,
  schema: string,
  mediaType?: string,
): Description {
  return {
    operationId,
    summary,
    security: [],
    responses: { '200': jsonResponse('Success', schema, mediaType) },
  };
}
