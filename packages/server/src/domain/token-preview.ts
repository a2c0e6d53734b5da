import { claimsJson, tokenHeader } from './access-token.ts';
import { mergedClaims, type Claims } from './claims.ts';
import type { Fault } from './fault.ts';
import { ALGORITHM_FACTS, type SigningAlgorithm } from './signing-algorithm.ts';
import { claimMembers, tokenLifeSeconds, type TokenLives } from './token-shape.ts';

/** The longest access token that settings may lead to: some proxies and servers refuse longer headers. */
export const TOKEN_BYTES_MAX = 4096;

export interface TokenPreviewInput {
  issuer: string;
  algorithm: SigningAlgorithm;
  clientId: string;
  audience: string;
  /** Separated by spaces. */
  scope: string;
  organisationId: string | null;
  claims: { audience: Claims; organisation: Claims; apiUser: Claims };
  life: TokenLives;
  nowMs: number;
}

/** A token as the server would issue it now, without its signature. */
export interface TokenPreview {
  header: Record<string, unknown>;
  claims: Record<string, unknown>;
  /** Its length, with the signature. */
  bytes: number;
  lifeSeconds: number;
}

/** Kid and token id are examples: they have the length of real ones. */
const KID = 'A'.repeat(43);
const TOKEN_ID = 'A'.repeat(22);

export function previewToken(input: TokenPreviewInput): TokenPreview {
  const { organisationId, claims } = input;
  const lifeSeconds = tokenLifeSeconds(input.life);
  const merged = mergedClaims(claims.audience, claims.organisation, claims.apiUser);
  const header = tokenHeader(input.algorithm, KID);
  const json = claimsJson({
    issuer: input.issuer,
    clientId: input.clientId,
    audience: input.audience,
    scope: input.scope,
    issuedAt: Math.floor(input.nowMs / 1000),
    expiresAt: Math.ceil(input.nowMs / 1000) + lifeSeconds,
    tokenId: TOKEN_ID,
    members: claimMembers(organisationId, merged),
  });
  const parts = [JSON.stringify(header), json].map((text) => base64urlLength(Buffer.byteLength(text)));
  const signature = base64urlLength(ALGORITHM_FACTS[input.algorithm].signatureBytes);
  const bytes = parts.reduce((sum, length) => sum + length + 1, signature);
  return { header, claims: JSON.parse(json) as Record<string, unknown>, bytes, lifeSeconds };
}

/** The fault of claims that make the token too long; otherwise empty. */
export function tokenPreviewFaults({ bytes }: TokenPreview, member = 'claims'): Fault[] {
  if (bytes <= TOKEN_BYTES_MAX) return [];
  const problem = `The access token would have ${bytes} bytes: at most ${TOKEN_BYTES_MAX}. Shorten the claims.`;
  return [{ member, problem }];
}

function base64urlLength(bytes: number): number {
  return Math.ceil((bytes * 4) / 3);
}
