/** The data of the overview: the rates of this process, the number of API users, and what needs attention. */
export interface OverviewSource {
  /** The rates of this process in about the last minute. */
  lately(): {
    tokens: number;
    refusals: Readonly<Record<string, number>>;
    seconds: number;
    p50Ms: number | null;
    p99Ms: number | null;
  };
  standing(): Promise<{
    apiUsers: { total: number; enabled: number; active: number } | null;
    attention: readonly Attention[];
  }>;
  startedAt: number;
}

export interface Attention {
  kind: (typeof ATTENTION_KINDS)[number];
  /** Null for a clock, an organisation, and callers with an unknown client id. */
  clientId: string | null;
  organisationId?: string;
  name: string;
  credentialId: string | null;
  at: number | null;
  count: number;
  /** The reason of the refusals. */
  reason?: string;
  /** An explanation in words; missing if the other fields say enough. */
  detail?: string;
}

export const ATTENTION_KINDS = [
  'clock',
  'organisation_quota',
  'refused',
  'secret_expires',
  'unused',
  'limit_hit',
] as const;
