import type { ApiUser } from '../domain/api-user.ts';
import { NO_CLAIMS, type Claims } from '../domain/claims.ts';
import type { TokenLives } from '../domain/token-shape.ts';
import type { StoreRows } from '../storage/store.ts';

/** What the store says about the tokens of an API user for one audience. */
export interface TokenSources {
  claims: { audience: Claims; organisation: Claims; apiUser: Claims };
  life: TokenLives;
}

/** `tokenLifeSeconds`: the server's. */
export async function tokenSources(
  { audienceSettings, organisations }: Pick<StoreRows, 'audienceSettings' | 'organisations'>,
  apiUser: Pick<ApiUser, 'organisationId' | 'claims' | 'tokenLifeSeconds'>,
  audience: string,
  tokenLifeSeconds: number,
): Promise<TokenSources> {
  const { organisationId } = apiUser;
  const ofAudience = await audienceSettings.find(audience);
  const organisation = organisationId === null ? undefined : await organisations.find(organisationId);
  return {
    claims: {
      audience: ofAudience?.claims ?? NO_CLAIMS,
      organisation: organisation?.claims ?? NO_CLAIMS,
      apiUser: apiUser.claims,
    },
    life: {
      apiUser: apiUser.tokenLifeSeconds,
      organisation: organisation?.policy.tokenLifeSeconds ?? null,
      audience: ofAudience?.tokenLifeSeconds ?? null,
      server: tokenLifeSeconds,
    },
  };
}
