import { mergedClaims, type Claims } from './claims.ts';
import type { KnownOrganisation } from './known-organisation.ts';

/** What the settings of server, audiences and organisations say about access tokens. */
export interface TokenSettings {
  /** Grows with each change of an audience's or organisation's settings. */
  generation: number;
  /** The life of access tokens without another one, and the longest. */
  tokenLifeSeconds: number;
  audiences: ReadonlyMap<string, AudienceTokenSettings>;
}

export interface AudienceTokenSettings {
  claims: Claims;
  tokenLifeSeconds: number | null;
}

/** What the tokens of API users with the same settings have in common, for one audience. */
export interface TokenShape {
  /** The generation of the settings that it was made from. */
  generation: number;
  tokenLifeSeconds: number;
  /** The members `org_id` and the static claims as JSON, each after a comma; empty if there are none. */
  members: string;
}

/** The settings of API users that decide their tokens' shape. */
export interface Shaped {
  audiences: readonly string[];
  organisation: KnownOrganisation | null;
  claims: Claims;
  tokenLifeSeconds: number | null;
  /** By the index of the audience. */
  shapes: TokenShape[];
}

/** `audience` is one of the audiences. Costs one comparison unless settings have changed. */
export function tokenShape(shaped: Shaped, audience: string, settings: TokenSettings): TokenShape {
  const at = shaped.audiences.indexOf(audience);
  const shape = shaped.shapes[at];
  if (shape !== undefined && shape.generation === settings.generation) return shape;
  return (shaped.shapes[at] = newShape(shaped, audience, settings));
}

function newShape(shaped: Shaped, audience: string, settings: TokenSettings): TokenShape {
  const { organisation } = shaped;
  const ofAudience = settings.audiences.get(audience);
  const claims = mergedClaims(ofAudience?.claims ?? {}, organisation?.claims ?? {}, shaped.claims);
  return {
    generation: settings.generation,
    tokenLifeSeconds: tokenLifeSeconds({
      apiUser: shaped.tokenLifeSeconds,
      organisation: organisation?.tokenLifeSeconds ?? null,
      audience: ofAudience?.tokenLifeSeconds ?? null,
      server: settings.tokenLifeSeconds,
    }),
    members: claimMembers(organisation?.id ?? null, claims),
  };
}

export interface TokenLives {
  apiUser: number | null;
  organisation: number | null;
  audience: number | null;
  server: number;
}

/** The most specific life wins, and the server's is the longest: its keys and revocations last for that. */
export function tokenLifeSeconds({ apiUser, organisation, audience, server }: TokenLives): number {
  return Math.min(server, apiUser ?? organisation ?? audience ?? server);
}

/** The JSON members, each after a comma. */
export function claimMembers(organisationId: string | null, claims: Claims): string {
  const json = JSON.stringify(organisationId === null ? claims : { org_id: organisationId, ...claims });
  return json === '{}' ? '' : `,${json.slice(1, -1)}`;
}
