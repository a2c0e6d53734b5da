// Links that hand a secret over.

export interface SecretLinkJson {
  id: string;
  client_id: string;
  credential_name: string;
  passphrase: boolean;
  created_by: string;
  created_at: string;
  expires_at: string;
}

export interface CreatedSecretLinkJson {
  link: SecretLinkJson;
  url: string;
}

export interface SecretLinkOfferJson {
  api_user_name: string;
  needs_passphrase: boolean;
  expires_at: string;
}

export interface OpenedSecretLinkJson {
  client_id: string;
  api_user_name: string;
  client_secret: string;
  credential_id: string;
  credential_name: string;
  expires_at: string | null;
  old_credentials: { id: string; name: string; expires_at: string | null }[];
}
