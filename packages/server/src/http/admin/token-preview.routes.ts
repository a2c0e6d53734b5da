import Type from 'typebox';
import { previewDraft } from '../../admin/token-preview.ts';
import { actorOf, type AdminApp } from './admin-app.ts';
import type { AdminContext } from './context.ts';
import { claimsInput } from './organisation.wire.ts';
import { closedObject, nullable, text } from './schema.ts';
import { tokenPreviewAnswer, tokenPreviewJson } from './token-preview.wire.ts';

const NAME_LENGTH_MAX = 300;
const AUDIENCE_LENGTH_MAX = 1000;

const draftSchema = closedObject(
  {
    client_id: Type.Optional(text('Client id, or username', NAME_LENGTH_MAX)),
    organisation_id: Type.Optional(text('Of an API user of this organisation', NAME_LENGTH_MAX)),
    audience: Type.Optional(text('Left out: the default', AUDIENCE_LENGTH_MAX)),
    claims: Type.Optional(claimsInput('Claims that are not saved yet; left out: those that are')),
    token_life_seconds: Type.Optional(
      nullable(Type.Integer({ minimum: 1, description: 'A life that is not saved yet' })),
    ),
  },
  {
    description:
      'Claims and life are those of the API user; without one, of the organisation; without both, of the audience',
  },
);

export function tokenPreviewRoute(app: AdminApp, context: AdminContext): void {
  app.post(
    '/token-preview',
    {
      config: { needs: 'read' },
      schema: {
        tags: ['Audiences'],
        operationId: 'previewToken',
        summary: 'The token that an API user would get with these settings. Saves and issues nothing.',
        description: 'Refused if the token would be too long for the headers of common servers and proxies.',
        body: draftSchema,
        response: { 200: tokenPreviewAnswer },
      },
    },
    async (request) => {
      const { client_id: clientId, organisation_id: organisationId, audience } = request.body;
      const draft = {
        clientId: clientId ?? null,
        organisationId: organisationId ?? null,
        audience: audience ?? null,
        claims: request.body.claims,
        tokenLifeSeconds: request.body.token_life_seconds,
        nowMs: context.now(),
      };
      return tokenPreviewJson(await previewDraft(context.store, actorOf(request), context.config, draft));
    },
  );
}
