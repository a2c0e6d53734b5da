// Answers of the portal's API.

/** The token that the API user, or any of the organisation, would get. */
export interface TokenPreviewJson {
  header: Readonly<Record<string, unknown>>;
  claims: Readonly<Record<string, unknown>>;
  bytes: number;
  life_seconds: number;
}
