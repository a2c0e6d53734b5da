import Type from 'typebox';
import { existingApiUser } from '../../admin/api-user.ts';
import { namedKeySourceOf } from '../../domain/assertion-credential.ts';
import { credentialState, type Credential } from '../../domain/credential.ts';
import { confinedTo } from '../../domain/actor.ts';
import { FETCH_FAILED_TEXT, keySourceId, type KeySourceState } from '../../domain/key-source.ts';
import { actorOf, type AdminApp } from './admin-app.ts';
import { apiUserPath } from './api-user.routes.ts';
import type { AdminContext } from './context.ts';
import { keySourceJson, keySourceSchema } from './key-source.wire.ts';
import { answerObject, ref } from './schema.ts';

export function keySourceRoutes(app: AdminApp, { store, keySets }: AdminContext): void {
  app.addSchema(keySourceSchema);
  app.get(
    '/api-users/:client_id/key-sources',
    {
      config: { needs: 'read' },
      schema: {
        tags: ['Credentials'],
        operationId: 'listKeySources',
        summary: 'The key sources that the live keys and trust rules of an API user name.',
        params: apiUserPath,
        response: {
          200: answerObject('Those that are fetched', { items: Type.Array(ref(keySourceSchema)) }),
        },
      },
    },
    async (request) => {
      const nowMs = Date.now();
      const { clientId } = await existingApiUser(store, request.params.client_id, actorOf(request));
      const namers = namersOf(await store.credentials.listOf(clientId), nowMs);
      const isMember = confinedTo(actorOf(request)) !== null;
      const states = namers.size === 0 ? [] : keySets.states(nowMs);
      return {
        items: states.flatMap((state) => {
          const ids = namers.get(keySourceId(state.source));
          return ids === undefined ? [] : [keySourceJson(isMember ? withoutError(state) : state, ids)];
        }),
      };
    },
  );
}

/** What a fetch failed with may tell of the platform's network: members learn only that it failed. */
function withoutError(state: KeySourceState): KeySourceState {
  return { ...state, error: state.error === null ? null : FETCH_FAILED_TEXT };
}

/** The ids of the live credentials that name a key source, by its id. */
function namersOf(credentials: readonly Credential[], nowMs: number): Map<string, string[]> {
  const namers = new Map<string, string[]>();
  for (const credential of credentials) {
    const { id, facts } = credential;
    const named = facts === null ? null : namedKeySourceOf(facts);
    if (named === null || credentialState(credential, nowMs) !== 'live') continue;
    const sourceId = keySourceId(named.source);
    namers.set(sourceId, [...(namers.get(sourceId) ?? []), id]);
  }
  return namers;
}
