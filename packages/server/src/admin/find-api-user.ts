import { reaches, type Actor } from '../domain/actor.ts';
import type { ApiUser } from '../domain/api-user.ts';
import type { Credential } from '../domain/credential.ts';
import type { Store } from '../storage/store.ts';

// What an actor may not know of is not found, by as many reads as what does not exist.

/** The API user with this client id or username. */
export async function findApiUser(
  { apiUsers }: Pick<Store, 'apiUsers'>,
  name: string,
  actor: Actor,
): Promise<ApiUser | undefined> {
  const reached = (user: ApiUser | undefined) => user !== undefined && reaches(actor, user.organisationId);
  const byClientId = await apiUsers.find(name);
  if (reached(byClientId)) return byClientId;
  const byUsername = await apiUsers.findByUsername(name);
  return reached(byUsername) ? byUsername : undefined;
}

/** The credential with this id, and its API user. */
export async function findCredential(
  { apiUsers, credentials }: Pick<Store, 'apiUsers' | 'credentials'>,
  id: string,
  actor: Actor,
): Promise<{ credential: Credential; owner: ApiUser } | undefined> {
  const credential = await credentials.find(id);
  const owner = await apiUsers.find(credential?.clientId ?? '');
  if (credential === undefined || owner === undefined) return undefined;
  return reaches(actor, owner.organisationId) ? { credential, owner } : undefined;
}
