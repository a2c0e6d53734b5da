import type { CredentialKind } from '../../../server/src/domain/credential.ts';

const KINDS: Readonly<Record<CredentialKind, string>> = {
  secret: 'secret',
  password: 'password',
  key: 'key',
  trust: 'trust rule',
};

export function kindText(kind: CredentialKind): string {
  return KINDS[kind];
}
