// The parts that URLs of databases and of Redis have in common: a user with a password, and several servers.
import { AppError } from '../domain/app-error.ts';
import { givenTextProblem } from '../domain/characters.ts';

export interface UrlServer {
  host: string;
  port: number;
}

// The errors below quote nothing of a URL: in a URL with a mistake, any part may be the password.

/** The part before the @. */
export function userOf(part: string): [user: string, password?: string] {
  const colon = part.indexOf(':');
  if (colon < 0) return [decoded(part, 'user')];
  return [decoded(part.slice(0, colon), 'user'), decoded(part.slice(colon + 1), 'password')];
}

/** `host:port,[address]:port,…`. The ports are optional. */
export function serversOf(part: string, standardPort: number): UrlServer[] {
  return part.split(',').map((one) => {
    const [, bracketed, plain, port = String(standardPort)] =
      /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(one) ?? [];
    const host = bracketed ?? plain;
    if (host === undefined || Number(port) < 1 || Number(port) > 65_535) {
      throw new AppError('bad_setting', 'a server is a host name or address and a port from 1 to 65535');
    }
    return { host: decoded(host, 'host'), port: Number(port) };
  });
}

export function decoded(text: string, what: string): string {
  let plain: string;
  try {
    plain = decodeURIComponent(text);
  } catch {
    throw new AppError(
      'bad_setting',
      `the ${what} has a % that is followed by no two hexadecimal digits (a % itself is %25)`,
    );
  }
  const problem = givenTextProblem(plain);
  if (problem !== null) throw new AppError('bad_setting', `the ${what} ${problem}`);
  return plain;
}
