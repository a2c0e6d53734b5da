import type { ShownSecret } from '../ui/secret-once.tsx';

let handed: ShownSecret | null = null;

/** Gives a secret that was just made to the page that shows it, past the address bar and the history. */
export function handOver(secret: ShownSecret): void {
  handed = secret;
}

/** Takes it, once. */
export function takeOver(clientId: string): ShownSecret | null {
  const taken = handed?.clientId === clientId ? handed : null;
  handed = null;
  return taken;
}
