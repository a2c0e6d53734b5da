import type { CredentialKind } from '../../../server/src/domain/credential.ts';
import type { PortalOrganisationJson } from '../../../server/src/http/portal/organisation.wire.ts';
import { createStore, useStore, type Store } from './store.ts';

/** The organisation of the portal; null in the console, and until it is loaded. */
export const organisation: Store<PortalOrganisationJson | null> = createStore<PortalOrganisationJson | null>(
  null,
);

/**
 * The policy that the members' choices lie within; null in the console, where the server's answer decides.
 */
export function usePolicy(): PortalOrganisationJson['policy'] | null {
  return useStore(organisation)?.policy ?? null;
}

/** Whether the policy allows new credentials of this kind. */
export function useAllows(kind: CredentialKind): boolean {
  const policy = usePolicy();
  return policy === null || policy.credential_kinds.includes(kind);
}
