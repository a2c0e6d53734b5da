import type { ShownSecret } from '../ui/secret-once.tsx';

let handed: ShownSecret | null = null;

/** Passes a new secret to the page that shows it, without the address bar or the history. */
export function handOver(secret: ShownSecret): void {
  handed = secret;
}

/** Returns the secret, once. */
export function takeOver(clientId: string): ShownSecret | null {
  const taken = handed?.clientId === clientId ? handed : null;
  handed = null;
  return taken;
}
