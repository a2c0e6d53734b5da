import { randomBytes } from 'node:crypto';
import { createApiUserWithSecret } from '../../admin/api-user-with-secret.ts';
import { existingApiUser } from '../../admin/api-user.ts';
import { tokenSources } from '../../admin/token-content.ts';
import type { Config } from '../../config/config.ts';
import { accessTokenSigner } from '../../domain/access-token.ts';
import { SYSTEM } from '../../domain/actor.ts';
import { UNSET_SETTINGS, type ApiUserSettings } from '../../domain/api-user.ts';
import { mergedClaims } from '../../domain/claims.ts';
import { activeKey } from '../../domain/signing-key.ts';
import { claimMembers, tokenLifeSeconds } from '../../domain/token-shape.ts';
import type { MasterKey } from '../../storage/master-key.ts';
import { privateKeyOf, readProvenKeys } from '../../storage/signing-key-proof.ts';
import type { Store } from '../../storage/store.ts';
import { signedByUnknownKey } from './apply-fault.ts';
import { spanMs, type Span } from './span.ts';

/** What a sandbox hands out without a request. */
export interface Issuing {
  createApiUser(settings?: SandboxApiUserSettings): Promise<SandboxApiUser>;
  /** Signs a token, as the token endpoint would, without a request. */
  token(request: SandboxTokenRequest): Promise<string>;
}

export interface SandboxApiUserSettings extends Partial<ApiUserSettings> {
  /** The secret expires after this span. Default: never. */
  secretExpiresIn?: Span;
}

export interface SandboxApiUser {
  clientId: string;
  clientSecret: string;
}

export interface SandboxTokenRequest {
  /** Client id or username. */
  clientId: string;
  /** Default: all of the API user. They need not be its own: an API should check them. */
  scopes?: readonly string[];
  /** Default: that of the API user. */
  audience?: string;
  /** How long the token lives. Default: as the server's tokens. */
  life?: Span;
  /** The token expired an hour ago. */
  expired?: boolean;
  /** A key signs the token that is not in the key set. */
  unknownKey?: boolean;
}

export interface IssuingSource {
  store: Store;
  masterKey: MasterKey;
  config: Config;
  /** The clock of the server. */
  now(): number;
  /** Resolves when the server knows every change. */
  settle(): Promise<void>;
}

const TOKEN_ID_BYTES = 16;
const EXPIRED_SECONDS = 3600;

export function createIssuing({ store, masterKey, config, now, settle }: IssuingSource): Issuing {
  return {
    async createApiUser({ secretExpiresIn, ...settings } = {}) {
      const nowMs = now();
      const change = { store, actor: SYSTEM, nowMs };
      const expiresAt =
        secretExpiresIn === undefined ? null : nowMs + spanMs(secretExpiresIn, 'secretExpiresIn');
      const { user, secret } = await createApiUserWithSecret(
        change,
        { ...UNSET_SETTINGS, name: 'Sandbox', ...settings },
        { name: 'sandbox', expiresAt },
      );
      await settle();
      return { clientId: user.clientId, clientSecret: secret };
    },
    async token({ clientId, scopes, audience, life, expired = false, unknownKey = false }) {
      const nowMs = now();
      const user = await existingApiUser(store, clientId, SYSTEM);
      const forAudience = audience ?? user.audiences[0] ?? config.audience;
      const sources = await tokenSources(store, user, forAudience, config.tokenLifeSeconds);
      const lifeSeconds =
        life === undefined ? tokenLifeSeconds(sources.life) : Math.ceil(spanMs(life, 'life') / 1000);
      const { audience: ofAudience, organisation, apiUser } = sources.claims;
      const { proven } = await readProvenKeys(store, masterKey, nowMs);
      const key = activeKey(proven, nowMs);
      if (key === undefined) throw new Error('No signing key is active: the token cannot be signed.');
      const expiresAt = Math.ceil(nowMs / 1000) + (expired ? -EXPIRED_SECONDS : lifeSeconds);
      const token = accessTokenSigner(
        key.algorithm,
        key.kid,
        privateKeyOf(key, masterKey),
      )({
        issuer: config.issuer,
        clientId: user.clientId,
        audience: forAudience,
        scope: (scopes ?? user.scopes).join(' '),
        issuedAt: expiresAt - lifeSeconds,
        expiresAt,
        tokenId: randomBytes(TOKEN_ID_BYTES).toString('base64url'),
        members: claimMembers(user.organisationId, mergedClaims(ofAudience, organisation, apiUser)),
      });
      return unknownKey ? signedByUnknownKey(token) : token;
    },
  };
}
