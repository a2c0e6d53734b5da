// Answers of the portal's API.

export interface RefusedRequestJson {
  at: string;
  client_id: string;
  api_user_name: string;
  address: string | null;
  reason: string;
  detail: string | null;
  trace_id: string;
}

/** The token that the API user, or any of the organisation, would get. */
export interface TokenPreviewJson {
  header: Readonly<Record<string, unknown>>;
  claims: Readonly<Record<string, unknown>>;
  bytes: number;
  life_seconds: number;
}
