import assert from 'node:assert/strict';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { exchange, type Reply } from './http.ts';

// Checks replies of an API against its own OpenAPI document: those of the admin API, and of a sandbox.

const BASE = '/marketing/admin/v1';

export interface Operation {
  operationId: string;
  summary: string;
  description: string;
  responses: Record<string, Described>;
  requestBody?: { required: boolean; content: Record<string, { schema: object }> };
}

interface Described {
  content?: Record<string, { schema: object }>;
  headers?: Record<string, { schema: object }>;
}

export interface AdminDocument {
  paths: Record<string, Record<string, Operation>>;
}

export type Check = (method: string, path: string, reply: Reply) => void;

const checks = new Map<number, Promise<Check>>();
/** The operations with a checked reply, as `operationId status`. */
export const checked: Set<string> = new Set<string>();

export async function adminDocument(port: number): Promise<AdminDocument> {
  const { body } = await exchange(port, { method: 'GET', path: `${BASE}/openapi.json` });
  return body as unknown as AdminDocument;
}

/** Asserts that a reply's status, media type, body and headers match this port's OpenAPI document. */
export async function describedBy(port: number): Promise<Check> {
  const check = checks.get(port) ?? checkOf(port);
  checks.set(port, check);
  return await check;
}

async function checkOf(port: number): Promise<Check> {
  return checkAgainst(await adminDocument(port), BASE);
}

/** Asserts that replies match an OpenAPI document whose paths are below `base`. */
export function checkAgainst(document: AdminDocument, base: string): Check {
  // authorization.test.ts checks the document itself.
  const ajv = new Ajv2020({
    strict: false,
    allErrors: true,
    validateFormats: false,
    meta: false,
    validateSchema: false,
  });
  ajv.addSchema(document, 'document');
  /** By the text of the schema: most answers have one of a few, and to compile one takes longer than a request. */
  const compiled = new Map<string, ValidateFunction>();
  const conforms = (schema: object, value: unknown, what: string) => {
    const text = JSON.stringify(schema).replaceAll('"#/', '"document#/');
    const validate = compiled.get(text) ?? ajv.compile(JSON.parse(text) as object);
    compiled.set(text, validate);
    assert.ok(validate(value), `${what}: ${ajv.errorsText(validate.errors)}`);
  };
  return (method, path, reply) => {
    const [at = ''] = path.slice(base.length).split('?');
    const operation = operationAt(document, method, at);
    if (operation === null)
      return assert.ok([404, 405].includes(reply.status), `${method} ${at} is not described`);
    const what = `${operation.operationId} ${reply.status}`;
    const { responses } = operation;
    const described = responses[reply.status] ?? responses[`${String(reply.status)[0]}XX`];
    assert.ok(described !== undefined, `${what} is not described`);
    const [type = ''] = (reply.headers['content-type'] ?? '').split(';');
    const schema = described.content?.[type]?.schema;
    if (reply.text === '') assert.equal(described.content, undefined, what);
    else assert.ok(schema !== undefined, `${what}: ${type} is not described`);
    if (schema !== undefined && /[/+]json$/.test(type)) conforms(schema, reply.body, what);
    for (const [name, header] of Object.entries(described.headers ?? {})) {
      conforms(header.schema, reply.headers[name.toLowerCase()], `${what} ${name}`);
    }
    checked.add(what);
  };
}

function operationAt(document: AdminDocument, method: string, path: string): Operation | null {
  const exact = document.paths[path]?.[method.toLowerCase()]; // before one with a parameter
  if (exact !== undefined) return exact;
  for (const [template, operations] of Object.entries(document.paths)) {
    const pattern = new RegExp(`^${template.replaceAll(/\{\w+\}/g, '[^/]+')}$`);
    const operation = operations[method.toLowerCase()];
    if (pattern.test(path) && operation !== undefined) return operation;
  }
  return null;
}
