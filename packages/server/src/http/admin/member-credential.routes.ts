import Type from 'typebox';
import { listMadeCredentials, resetMadeBy } from '../../admin/member-credentials.ts';
import { actorOf, type AdminApp } from './admin-app.ts';
import { changeOf, type AdminContext } from './context.ts';
import { overlapInput, overlapOf } from './credential.routes.ts';
import { credentialJson, credentialSchema, secretText } from './credential.wire.ts';
import { memberPath, type MemberRoutes } from './member-path.ts';
import { leftCredentialSchema, madeCredentialJson, madeCredentialSchema } from './member.wire.ts';
import { answerObject, closedObject, ref } from './schema.ts';

const TAG = { tags: ['Members'] };

/** The credentials that a person may know, also after the person left. */
export function memberCredentialRoutes(app: AdminApp, context: AdminContext, options: MemberRoutes): void {
  listRoute(app, context, options);
  resetRoute(app, context, options);
}

function listRoute(app: AdminApp, { store, now }: AdminContext, { path }: MemberRoutes): void {
  app.get(
    `${path}/members/:id/credentials`,
    {
      config: { needs: 'read' },
      schema: {
        ...TAG,
        operationId: 'listMemberCredentials',
        summary: 'The live credentials in the organisation that a member, or former member, made.',
        params: memberPath,
        response: {
          200: answerObject('Up to 1000', { items: Type.Array(ref(madeCredentialSchema)) }),
        },
      },
    },
    async (request) => {
      const { organisation_id: organisation, id } = request.params;
      const by = { actor: actorOf(request), nowMs: now() };
      return { items: (await listMadeCredentials(store, organisation, id, by)).map(madeCredentialJson) };
    },
  );
}

function resetRoute(app: AdminApp, context: AdminContext, { path, changes }: MemberRoutes): void {
  app.post(
    `${path}/members/:id/reset`,
    {
      config: { needs: changes, action: 'credential.reset' },
      schema: {
        ...TAG,
        operationId: 'resetMemberCredentials',
        summary: 'Resets every credential in the organisation that a member, or former member, made.',
        description:
          'Each of their API users gets a new secret, which is shown only once. The old ones end as with `reset` of an API ' +
          'user. `left` names those that still need an action: keys and trust rules, and what was refused.',
        params: memberPath,
        body: closedObject(overlapInput),
        response: {
          200: answerObject('Done', {
            reset: Type.Array(
              answerObject('An API user with a new secret', {
                client_id: Type.String(),
                api_user_name: Type.String(),
                credential: ref(credentialSchema),
                client_secret: secretText,
                ending: Type.Array(ref(credentialSchema), { description: 'The old ones' }),
              }),
            ),
            left: Type.Array(leftCredentialSchema),
          }),
        },
      },
    },
    async (request) => {
      const { organisation_id: organisation, id } = request.params;
      const change = changeOf(request, context);
      const overlapMs = overlapOf(request.body);
      const { reset, left } = await resetMadeBy(change, organisation, id, overlapMs);
      const json = (credential: (typeof reset)[number]['credential']) =>
        credentialJson(credential, [], change.nowMs);
      return {
        reset: reset.map(({ credential, secret, ending, apiUserName }) => ({
          client_id: credential.clientId,
          api_user_name: apiUserName,
          credential: json(credential),
          client_secret: secret ?? '',
          ending: ending.map(json),
        })),
        left: left.map((each) => ({ ...madeCredentialJson(each), problem: each.problem })),
      };
    },
  );
}
