import type { OperatorSessionJson } from '../../../server/src/http/admin/session.wire.ts';
import { session, signedIn, signedOut } from '../state/session.ts';
import { request } from './client.ts';
import { Problem } from './problem.ts';

/** Loads the session, if there is one. */
export async function loadSession(): Promise<void> {
  try {
    signedIn((await request<OperatorSessionJson>('GET', '/session', { signIn: false })).data);
  } catch (error) {
    if (!(error instanceof Problem) || error.status !== 401) throw error;
    session.set({ is: 'out' });
  }
}

export interface SignIn {
  email: string;
  password: string;
  /** A code of the second factor, or a recovery code. */
  code?: string;
}

export async function signIn(input: SignIn): Promise<void> {
  signedIn((await request<OperatorSessionJson>('POST', '/session', { body: input, signIn: false })).data);
}

export async function signOut(): Promise<void> {
  try {
    await request('DELETE', '/session', { signIn: false });
  } catch (error) {
    if (!(error instanceof Problem) || error.status !== 401) throw error;
  }
  signedOut();
}
