import type { CredentialKind } from './credential.ts';
import { passwordHashProblem } from './password.ts';
import { isKeyId } from './secret.ts';

/** The differences between the kinds of credentials. */
interface CredentialKindFacts {
  /** At most one of an API user's live credentials is of this kind. */
  isSingle: boolean;
  /** Whether a reset ends the credentials of this kind even if it does not name the kind. */
  endsWithReset: boolean;
  /** Why an imported credential may not have this id; null if it may. */
  idProblem(id: string | undefined): string | null;
  /**
   * Why an imported credential may not have this digest; null if it may. A kind without this function has
   * facts, and its digest follows from them.
   */
  digestProblem?(digest: string): string | null;
}

export const KIND_FACTS: Readonly<Record<CredentialKind, CredentialKindFacts>> = {
  secret: {
    isSingle: false,
    endsWithReset: true,
    idProblem: (id) =>
      id !== undefined && isKeyId(id)
        ? null
        : 'The id of a secret is its key id: the ten characters after mms_.',
    digestProblem: (digest) =>
      /^[A-Za-z0-9_-]{43}$/.test(digest)
        ? null
        : 'The digest of a secret is its SHA-256, base64url, 43 characters.',
  },
  // A wrong guess costs exactly one slow hash, as much as one for an unknown client id: so a password is
  // single.
  password: {
    isSingle: true,
    endsWithReset: false,
    idProblem: generatedIdProblem,
    digestProblem: passwordHashProblem,
  },
  key: { isSingle: false, endsWithReset: false, idProblem: generatedIdProblem },
  trust: { isSingle: false, endsWithReset: false, idProblem: generatedIdProblem },
};

function generatedIdProblem(id: string | undefined): string | null {
  return id === undefined || isKeyId(id) ? null : 'The id has ten letters and digits.';
}
