import Type, { type TUnsafe } from 'typebox';
import type { AudienceSettings } from '../../domain/audience-settings.ts';
import type { Claims } from '../../domain/claims.ts';
import { claimsInput } from './organisation.wire.ts';
import { closedObject, iso, nullable, shared, text, time, type Shared } from './schema.ts';

// Settings of audiences in JSON. `mintmark audience --json` has the same names.

export interface AudienceSettingsJson {
  audience: string;
  claims: Claims;
  token_life_seconds: number | null;
  updated_at: string | null;
  version: number;
}

/** Larger than the limit of domain/grant.ts, which explains a refusal better than a schema does. */
const AUDIENCE_LENGTH_MAX = 1000;

const settings = {
  claims: claimsInput('Claims of all tokens for this audience'),
  token_life_seconds: nullable(
    Type.Integer({ minimum: 1, description: 'Life of its tokens; null: that of the server' }),
  ),
};

export const audienceSettingsSchema: Shared<AudienceSettingsJson> = shared(
  'AudienceSettings',
  'What operators set for all tokens of one audience',
  {
    audience: Type.String(),
    ...settings,
    updated_at: nullable(time('When it was last changed; null: it has no settings')),
    version: Type.Integer({ minimum: 0, description: 'One more with each change; 0: it has no settings' }),
  },
);

export interface AudienceInputJson {
  audience: string;
  claims?: Claims;
  token_life_seconds?: number | null;
}

export const audienceInputSchema: TUnsafe<AudienceInputJson> = Type.Unsafe<AudienceInputJson>(
  closedObject(
    {
      ...Type.Partial(Type.Object(settings)).properties,
      audience: text('The audience: a URI', AUDIENCE_LENGTH_MAX),
    },
    { description: 'All settings of the audience: what is left out is unset' },
  ),
);

export function audienceSettingsJson(settingsOf: AudienceSettings): AudienceSettingsJson {
  const { audience, claims, tokenLifeSeconds, updatedAt, version } = settingsOf;
  return {
    audience,
    claims,
    token_life_seconds: tokenLifeSeconds,
    updated_at: version === 0 ? null : iso(updatedAt),
    version,
  };
}
