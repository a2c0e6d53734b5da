import type { Claims } from './claims.ts';

/** What operators set for all tokens of one audience. Times are milliseconds since 1970 (UTC). */
export interface AudienceSettings {
  audience: string;
  claims: Claims;
  /** Life of its access tokens; null: the server's. At most the server's. */
  tokenLifeSeconds: number | null;
  updatedAt: number;
  /** Starts at 1 and grows by one with each change. */
  version: number;
}
