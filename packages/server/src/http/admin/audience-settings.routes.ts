import Type, { type TUnsafe } from 'typebox';
import { setAudience } from '../../admin/audience-settings.ts';
import type { AdminApp } from './admin-app.ts';
import {
  audienceInputSchema,
  audienceSettingsJson,
  audienceSettingsSchema,
  type AudienceSettingsJson,
} from './audience-settings.wire.ts';
import { changeOf, type AdminContext } from './context.ts';
import { etagHeader, ifMatch, ifMatchParameter, setEtag } from './preconditions.ts';
import { answerObject, ref } from './schema.ts';

const TAG = { tags: ['Audiences'] };

const changedSettings: TUnsafe<AudienceSettingsJson> = Type.Unsafe<AudienceSettingsJson>({
  ...ref(audienceSettingsSchema),
  description: 'As it is now',
  headers: etagHeader,
});

export function audienceSettingsRoutes(app: AdminApp, context: AdminContext): void {
  app.addSchema(audienceSettingsSchema);
  app.get(
    '/audience-settings',
    {
      config: { needs: 'read' },
      schema: {
        ...TAG,
        operationId: 'listAudienceSettings',
        summary: 'The audiences with settings, in the order of their URIs.',
        response: { 200: answerObject('All of them', { items: Type.Array(ref(audienceSettingsSchema)) }) },
      },
    },
    async () => ({ items: (await context.store.audienceSettings.list()).map(audienceSettingsJson) }),
  );
  app.put(
    '/audience-settings',
    {
      config: { needs: 'admin', action: 'audience_settings.update' },
      schema: {
        ...TAG,
        operationId: 'setAudienceSettings',
        summary: 'Sets the claims and the life of the tokens for an audience.',
        description: 'What is left out is unset. An audience without claims and life has no settings.',
        headers: Type.Object(ifMatchParameter),
        body: audienceInputSchema,
        response: { 200: changedSettings },
      },
    },
    async (request, reply) => {
      const { audience, claims = {}, token_life_seconds: tokenLifeSeconds = null } = request.body;
      const input = { audience, claims, tokenLifeSeconds };
      const change = changeOf(request, context);
      const settings = await setAudience(change, input, { ifVersion: ifMatch(request) });
      setEtag(reply, settings);
      return audienceSettingsJson(settings);
    },
  );
}
