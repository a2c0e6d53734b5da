// Answers of the admin API about tokens.

/** The token that the API user, or any of the organisation, would get. */
export interface TokenPreviewJson {
  header: Readonly<Record<string, unknown>>;
  claims: Readonly<Record<string, unknown>>;
  bytes: number;
  life_seconds: number;
}
