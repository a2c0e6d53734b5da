import Type from 'typebox';
import type { AdminApp } from '../../../http/admin/admin-app.ts';
import { answerObject } from '../../../http/admin/schema.ts';
import type { CurrentSandbox, SandboxDescription } from './current-sandbox.ts';

const TAG = { tags: ['Sandbox'] };

const sandboxSchema = answerObject('The sandbox, and the API user that it starts with', {
  base_url: Type.String({ description: 'The base URL of the server; also its issuer' }),
  issuer: Type.String(),
  token_url: Type.String(),
  jwks_url: Type.String(),
  control_url: Type.String({ description: 'The base URL of this API' }),
  token_life_seconds: Type.Integer({ minimum: 1 }),
  client_id: Type.String(),
  client_secret: Type.String(),
  scopes: Type.Array(Type.String()),
});

/** A sandbox and its control API. */
export interface ControlledSandbox extends SandboxDescription {
  control_url: string;
}

export function sandboxRoutes(app: AdminApp, sandbox: CurrentSandbox, controlUrl: () => string): void {
  const description = () => {
    const { scopes, ...rest } = sandbox.description();
    return { ...rest, control_url: controlUrl(), scopes: [...scopes] };
  };
  app.get(
    '/sandbox',
    {
      schema: {
        ...TAG,
        operationId: 'getSandbox',
        summary: 'Where the sandbox is, and the API user that it starts with.',
        response: { 200: sandboxSchema },
      },
    },
    async () => description(),
  );
  app.post(
    '/reset',
    {
      schema: {
        ...TAG,
        operationId: 'resetSandbox',
        summary:
          'Starts a new sandbox in place of this one: new keys and API users, no faults, the present time.',
        description: 'The URLs stay. The connections of clients are closed. The answer has the new API user.',
        response: { 200: sandboxSchema },
      },
    },
    async () => {
      await sandbox.reset();
      return description();
    },
  );
}
