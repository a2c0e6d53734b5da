import Type from 'typebox';
import type { StoredRefusedRequest } from '../../storage/tables/refused-request.ts';
import { iso, nullable, shared, time, type Shared } from './schema.ts';

export interface RefusedRequestJson {
  at: string;
  client_id: string;
  api_user_name: string;
  address: string;
  reason: string;
  credential_id: string | null;
  detail: string | null;
  trace_id: string;
}

export const refusedRequestSchema: Shared<RefusedRequestJson> = shared(
  'RefusedRequest',
  'A request that named an API user and was refused',
  {
    at: time('When it was refused'),
    client_id: Type.String(),
    api_user_name: Type.String(),
    address: Type.String({ description: 'Where it came from' }),
    reason: Type.String({ description: 'The exact reason, as in the log' }),
    credential_id: nullable(
      Type.String({ description: 'The credential that it presented, if that is known' }),
    ),
    detail: nullable(Type.String({ description: 'The check that failed, with its values' })),
    trace_id: Type.String({ description: 'The x-request-id of the response' }),
  },
);

export function refusedRequestJson(request: StoredRefusedRequest): RefusedRequestJson {
  return {
    at: iso(request.at),
    client_id: request.clientId,
    api_user_name: request.apiUserName,
    address: request.address,
    reason: request.reason,
    credential_id: request.credentialId,
    detail: request.detail,
    trace_id: request.traceId,
  };
}
