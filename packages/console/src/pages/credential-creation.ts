import { useRef } from 'preact/hooks';
import { useLocation } from 'preact-iso/router';
import type { CreatedCredentialJson } from '../../../server/src/http/admin/credential.wire.ts';
import { newIdempotencyKey, post } from '../api/client.ts';
import { apiUserPath } from '../api/paths.ts';
import { Problem } from '../api/problem.ts';
import { paths } from '../paths.ts';
import { announce } from '../state/announce.ts';
import { kindText } from '../ui/credential-kind.ts';

/**
 * Creates a key or trust rule and opens its page. Attempts with the same body have the same idempotency key,
 * so that a lost response does not create a second one.
 */
export function useCredentialCreation(clientId: string): (body: object) => Promise<void> {
  const { route } = useLocation();
  const attempt = useRef({ key: newIdempotencyKey(), body: '' });
  return async (body) => {
    const text = JSON.stringify(body);
    if (attempt.current.body !== text) attempt.current = { key: newIdempotencyKey(), body: text };
    const options = { idempotencyKey: attempt.current.key };
    const path = `${apiUserPath(clientId)}/credentials`;
    try {
      const { credential } = await post<CreatedCredentialJson>(path, body, options);
      announce(`Created the ${kindText(credential.kind)} ${credential.name}.`);
      route(paths.credential(clientId, credential.id), true);
      scrollTo(0, 0);
    } catch (error) {
      // After a final refusal, the next request is a new attempt, even with the same values.
      if (error instanceof Problem && error.status >= 400 && error.status < 500) attempt.current.body = '';
      throw error;
    }
  };
}
