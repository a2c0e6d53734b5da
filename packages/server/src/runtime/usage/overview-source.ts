/** What the overview shows of this process and of what needs attention. */
export interface OverviewSource {
  /** Of this process, in about the last minute. */
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
  /** Null for a clock, and for callers whose client id no API user has. */
  clientId: string | null;
  name: string;
  credentialId: string | null;
  at: number | null;
  count: number;
  /** Why it was refused. */
  reason?: string;
  /** In words; missing where that follows from the rest. */
  detail?: string;
}

export const ATTENTION_KINDS = ['clock', 'refused', 'secret_expires', 'unused', 'limit_hit'] as const;
