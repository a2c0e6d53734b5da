import type { Actor } from '../domain/actor.ts';
import { AppError } from '../domain/app-error.ts';
import { tokenLifeProblem, type ApiUser } from '../domain/api-user.ts';
import { claimsFaults, NO_CLAIMS, type Claims } from '../domain/claims.ts';
import type { Organisation } from '../domain/organisation.ts';
import type { SigningAlgorithm } from '../domain/signing-algorithm.ts';
import {
  previewToken,
  tokenPreviewFaults,
  type TokenPreview,
  type TokenPreviewInput,
} from '../domain/token-preview.ts';
import type { Store } from '../storage/store.ts';
import { existingApiUser } from './api-user.ts';
import { existingOrganisation } from './organisation.ts';
import { EXAMPLE_CLIENT_ID } from './token-length.ts';

/**
 * Settings that are not saved yet: of the API user; without one, of the organisation; without both, of the
 * audience. Undefined: as they are now.
 */
export interface TokenDraft {
  clientId: string | null;
  organisationId: string | null;
  /** Null: the default of the API user, organisation or server. */
  audience: string | null;
  claims: Claims | undefined;
  tokenLifeSeconds: number | null | undefined;
}

/** The settings of the server that decide its tokens. */
export interface TokenServer {
  issuer: string;
  /** The default audience. */
  audience: string;
  tokenLifeSeconds: number;
  signingAlgorithm: SigningAlgorithm;
}

type Rows = Pick<Store, 'apiUsers' | 'organisations' | 'audienceSettings'>;

/** The token that the server would issue with the draft. Throws an AppError with the faults of the draft. */
export async function previewDraft(
  store: Rows,
  actor: Actor,
  server: TokenServer,
  draft: TokenDraft & { nowMs: number },
): Promise<TokenPreview> {
  const user = draft.clientId === null ? null : await existingApiUser(store, draft.clientId, actor);
  const organisationId = user === null ? draft.organisationId : user.organisationId;
  const organisation =
    organisationId === null ? null : await existingOrganisation(store, organisationId, actor);
  refuseFaults(draft);
  const preview = previewToken(await inputOf(store, server, { user, organisation, draft }));
  const faults = tokenPreviewFaults(preview);
  if (faults.length > 0)
    throw new AppError('invalid', faults.map(({ problem }) => problem).join('\n'), { faults });
  return preview;
}

interface Subject {
  user: ApiUser | null;
  organisation: Organisation | null;
  draft: TokenDraft & { nowMs: number };
}

async function inputOf(
  store: Rows,
  server: TokenServer,
  { user, organisation, draft }: Subject,
): Promise<TokenPreviewInput> {
  const audience =
    draft.audience ?? user?.audiences[0] ?? organisation?.policy.audiences[0] ?? server.audience;
  const settings = await store.audienceSettings.find(audience);
  const input: TokenPreviewInput = {
    issuer: server.issuer,
    algorithm: server.signingAlgorithm,
    clientId: user?.clientId ?? EXAMPLE_CLIENT_ID,
    audience,
    scope: (user?.scopes ?? organisation?.policy.scopes ?? []).join(' '),
    organisationId: organisation?.id ?? null,
    claims: {
      audience: settings?.claims ?? NO_CLAIMS,
      organisation: organisation?.claims ?? NO_CLAIMS,
      apiUser: user?.claims ?? NO_CLAIMS,
    },
    life: {
      server: server.tokenLifeSeconds,
      audience: settings?.tokenLifeSeconds ?? null,
      organisation: organisation?.policy.tokenLifeSeconds ?? null,
      apiUser: user?.tokenLifeSeconds ?? null,
    },
    nowMs: draft.nowMs,
  };
  const level = user === null ? (organisation === null ? 'audience' : 'organisation') : 'apiUser';
  const { claims = input.claims[level], tokenLifeSeconds = input.life[level] } = draft;
  return {
    ...input,
    claims: { ...input.claims, [level]: claims },
    life: { ...input.life, [level]: tokenLifeSeconds },
  };
}

function refuseFaults({ claims = NO_CLAIMS, tokenLifeSeconds = null }: TokenDraft): void {
  const problem = tokenLifeProblem(tokenLifeSeconds);
  const faults = [
    ...claimsFaults(claims),
    ...(problem === null ? [] : [{ member: 'token_life_seconds', problem }]),
  ];
  if (faults.length === 0) return;
  throw new AppError('invalid', faults.map((fault) => fault.problem).join('\n'), { faults });
}
