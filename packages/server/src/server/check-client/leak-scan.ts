import type { Leak } from './observation.ts';

/** An access token is shorter than this, so none hides in the seam between two chunks. */
const SEAM_CHARACTERS = 4096;
/** Of the output, only this much of the end is kept. */
const LAST_CHARACTERS = 4096;
const LINE_LENGTH_MAX = 200;
/** A JWT. The payload decides whether it is a token of this check. */
const JWT = /\beyJ[\w-]{8,}\.(eyJ[\w-]{8,})\.[\w-]{16,}/g;

export interface Credentials {
  issuer: string;
  clientId: string;
  clientSecret: string;
}

/** Searches what a program prints for its credentials and tokens. Keeps only the end of the output. */
export interface LeakScan {
  add(stream: Leak['stream'], chunk: Buffer): void;
  leaks(): Leak[];
  /** The last line of the output about an error, or at all; without what leaked. */
  lastLine(): string;
}

export function createLeakScan({ issuer, clientId, clientSecret }: Credentials): LeakScan {
  // Without the padding, which some programs leave out.
  const basic = Buffer.from(`${clientId}:${clientSecret}`).toString('base64').replace(/=*$/, '');
  const seams = { stdout: '', stderr: '' };
  const leaks = new Map<string, Leak>();
  let end = '';

  const isOwnToken = (payload: string) =>
    Buffer.from(payload, 'base64url').toString('latin1').includes(JSON.stringify(issuer));

  function record(what: Leak['what'], stream: Leak['stream']): void {
    leaks.set(`${what} ${stream}`, { what, stream });
  }

  return {
    add(stream, chunk) {
      const text = seams[stream] + chunk.toString('latin1');
      if (text.includes(clientSecret) || text.includes(basic)) record('the client secret', stream);
      if (Array.from(text.matchAll(JWT)).some(([, payload = '']) => isOwnToken(payload)))
        record('an access token', stream);
      seams[stream] = text.slice(-SEAM_CHARACTERS);
      end = (end + chunk.toString('utf8')).slice(-LAST_CHARACTERS);
    },
    leaks: () => Array.from(leaks.values()),
    lastLine() {
      // A cut may leave a part of a secret.
      const whole = end.length < LAST_CHARACTERS ? end : end.replace(/^\S+/, '…');
      const shown = whole.replaceAll(clientSecret, '…').replaceAll(basic, '…').replaceAll(JWT, '…');
      // A token without its beginning is one long word.
      const lines = shown
        .replaceAll(/[\w.-]{100,}/g, '…')
        .split('\n')
        .filter((each) => each.trim() !== '');
      const line = lines.findLast((each) => /error/i.test(each)) ?? lines.at(-1) ?? '';
      return line.trim().slice(0, LINE_LENGTH_MAX);
    },
  };
}
