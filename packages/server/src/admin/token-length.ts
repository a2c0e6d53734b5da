import { AppError } from '../domain/app-error.ts';
import { NO_CLAIMS, type Claims } from '../domain/claims.ts';
import { ALGORITHM_FACTS, SIGNING_ALGORITHMS } from '../domain/signing-algorithm.ts';
import { previewToken, tokenPreviewFaults } from '../domain/token-preview.ts';
import type { Store } from '../storage/store.ts';
import { recordedIssuer } from './issuer.ts';

/** What the length of an access token depends on. */
export interface TokenParts {
  clientId: string;
  scopes: readonly string[];
  /** Empty: the default audience of the server. */
  audiences: readonly string[];
  organisationId: string | null;
  claims: { organisation: Claims; apiUser: Claims };
}

/** An issuer of usual length, until a server has recorded its own. */
const EXAMPLE_ISSUER = 'https://auth.example.com/marketing';
/** The length of a client id, for the tokens of no particular API user. */
export const EXAMPLE_CLIENT_ID: string = `api_${'0'.repeat(20)}`;

const [LONGEST_SIGNATURE] = SIGNING_ALGORITHMS.toSorted(
  (a, b) => ALGORITHM_FACTS[b].signatureBytes - ALGORITHM_FACTS[a].signatureBytes,
);

/** Throws an AppError if a token with these claims would be too long for the headers of common servers. */
export async function refuseLongTokens(
  rows: Pick<Store, 'meta' | 'audienceSettings'>,
  { audiences, claims, scopes, ...parts }: TokenParts,
  nowMs: number,
): Promise<void> {
  if (Object.keys({ ...claims.organisation, ...claims.apiUser }).length === 0) return;
  const issuer = (await recordedIssuer(rows)) ?? EXAMPLE_ISSUER;
  const settings = new Map((await rows.audienceSettings.list()).map((each) => [each.audience, each.claims]));
  for (const audience of audiences.length === 0 ? [issuer] : audiences) {
    const preview = previewToken({
      issuer,
      algorithm: LONGEST_SIGNATURE ?? 'ES256',
      ...parts,
      audience,
      scope: scopes.join(' '),
      claims: { audience: settings.get(audience) ?? NO_CLAIMS, ...claims },
      life: { server: 1, audience: null, organisation: null, apiUser: null },
      nowMs,
    });
    const faults = tokenPreviewFaults(preview);
    if (faults.length > 0)
      throw new AppError('invalid', faults.map(({ problem }) => problem).join('\n'), { faults });
  }
}
