import Type, { type TUnsafe } from 'typebox';
import type { OpenedSecretLink } from '../../admin/open-secret-link.ts';
import { secretLinkUrl, type CreatedSecretLink, type SecretLink } from '../../domain/secret-link.ts';
import { TOKEN_PATH } from '../paths.ts';
import { answerObject, closedObject, iso, nullable, ref, shared, time, type Shared } from './schema.ts';

// Links that hand a secret over, in JSON, without digests.

export interface SecretLinkJson {
  id: string;
  client_id: string;
  credential_name: string;
  credential_expires_at: string | null;
  reset: SecretResetJson | null;
  passphrase: boolean;
  created_by: string;
  created_at: string;
  expires_at: string;
}

export interface SecretResetJson {
  overlap_seconds: number | null;
  end_password: boolean;
}

const resetSchema = Type.Unsafe<SecretResetJson | null>({
  type: ['object', 'null'],
  description: 'How the live credentials end once the link was opened; null: they stay as they are',
  properties: {
    overlap_seconds: {
      type: ['integer', 'null'],
      description: 'How long they still work; null: until nothing uses them',
    },
    end_password: { type: 'boolean', description: 'Whether a live password ends, too' },
  },
  required: ['overlap_seconds', 'end_password'],
  additionalProperties: false,
});

export const secretLinkSchema: Shared<SecretLinkJson> = shared(
  'SecretLink',
  'A one-time link that makes a secret when it is opened. It is removed then.',
  {
    id: Type.String({ description: 'Opens nothing' }),
    client_id: Type.String(),
    credential_name: Type.String({ description: 'Where the secret will be deployed' }),
    credential_expires_at: nullable(time('When the secret will expire; null: never')),
    reset: resetSchema,
    passphrase: Type.Boolean({ description: 'Whether the link needs a passphrase' }),
    created_by: Type.String({ description: 'Who made it: an e-mail address or a name' }),
    created_at: time('When it was made'),
    expires_at: time('From then on it opens nothing'),
  },
);

export interface CreatedSecretLinkJson {
  link: SecretLinkJson;
  url: string;
}

export const createdSecretLinkSchema: TUnsafe<CreatedSecretLinkJson> = Type.Unsafe<CreatedSecretLinkJson>(
  answerObject('Made', {
    link: ref(secretLinkSchema),
    url: Type.String({ description: 'To be given to the person who needs the secret. Shown this once' }),
  }),
);

export interface SecretLinkOfferJson {
  api_user_name: string;
  needs_passphrase: boolean;
  expires_at: string;
}

export const secretLinkOfferSchema: TUnsafe<SecretLinkOfferJson> = Type.Unsafe<SecretLinkOfferJson>(
  answerObject('A link that can be opened', {
    api_user_name: Type.String(),
    needs_passphrase: Type.Boolean(),
    expires_at: time('From then on it opens nothing'),
  }),
);

export interface OpenedSecretLinkJson {
  client_id: string;
  api_user_name: string;
  client_secret: string;
  credential_id: string;
  credential_name: string;
  expires_at: string | null;
  scopes: string[];
  token_url: string;
  old_credentials: { id: string; name: string; expires_at: string | null }[];
}

export const openedSecretLinkSchema: TUnsafe<OpenedSecretLinkJson> = Type.Unsafe<OpenedSecretLinkJson>(
  answerObject('The new secret. This answer alone shows it', {
    client_id: Type.String(),
    api_user_name: Type.String(),
    client_secret: Type.String({ description: 'Stored nowhere' }),
    credential_id: Type.String(),
    credential_name: Type.String({ description: 'Where it is deployed' }),
    expires_at: nullable(time('From then on the secret is refused; null: never')),
    scopes: Type.Array(Type.String(), { description: 'What the API user may do' }),
    token_url: Type.String({ description: 'Where the secret gets access tokens' }),
    old_credentials: Type.Array(
      closedObject({
        id: Type.String(),
        name: Type.String(),
        expires_at: nullable(time('When it ends; null: when nothing uses it any more')),
      }),
      { description: 'Those that the new one replaces' },
    ),
  }),
);

export function secretLinkJson(link: SecretLink): SecretLinkJson {
  const { request } = link;
  const { reset } = request;
  return {
    id: link.id,
    client_id: link.clientId,
    credential_name: request.name,
    credential_expires_at: iso(request.expiresAt),
    reset: reset && {
      overlap_seconds: reset.overlapMs === null ? null : reset.overlapMs / 1000,
      end_password: reset.endPassword,
    },
    passphrase: link.passphraseHash !== null,
    created_by: link.createdBy.name,
    created_at: iso(link.createdAt),
    expires_at: iso(link.expiresAt),
  };
}

export function createdSecretLinkJson(
  { link, token }: CreatedSecretLink,
  issuer: string,
): CreatedSecretLinkJson {
  return { link: secretLinkJson(link), url: secretLinkUrl(issuer, token) };
}

export function openedSecretLinkJson(
  { user, credential, secret, ending }: OpenedSecretLink,
  issuer: string,
): OpenedSecretLinkJson {
  return {
    client_id: user.clientId,
    api_user_name: user.name,
    client_secret: secret,
    credential_id: credential.id,
    credential_name: credential.name,
    expires_at: iso(credential.expiresAt),
    scopes: [...user.scopes],
    token_url: issuer + TOKEN_PATH,
    old_credentials: ending.map(({ id, name, expiresAt }) => ({ id, name, expires_at: iso(expiresAt) })),
  };
}
