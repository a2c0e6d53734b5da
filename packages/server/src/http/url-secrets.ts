import { SECRET_PREFIX } from '../domain/secret.ts';

export const CREDENTIALS_IN_URL = 'Credentials in the query string are refused, because URLs end up in logs:';

/** A percent-encoded byte, encoded any number of times: `%5F`, `%255F`. */
const ENCODED_BYTE = /%(?:25)*([0-9a-f]{2})/gi;
/** Escapes may encode escapes (`%25%35%46`). The bound limits the time that a crafted URL can cost. */
const DECODINGS_MAX = 2;

const SECRET_NAMES = String.raw`client[_-]?secret|client[_-]?assertion|assertion|password|(?:access[_-]?|refresh[_-]?)?token`;
/** Matches one of the names as a whole, if a value follows: as in a query, JSON or YAML. */
const named = (names: string) =>
  new RegExp(`(?<![\\w-])(?:${names})(?:\\[[^\\]]{0,40}\\])?[\\])"']*[=:]`, 'i');
const SECRET = named(SECRET_NAMES);
const CREDENTIAL = named(`${SECRET_NAMES}|client[_-]?id|client[_-]?assertion[_-]?type`);
/** A generated secret, under any parameter name. */
const GENERATED = new RegExp(`${SECRET_PREFIX}[0-9A-Za-z]{10}_[0-9A-Za-z]{49}`);

/** The form of almost all request targets: a path alone. */
const PLAIN_PATH = /^\/[\w./-]*$/;
/** Most requests have the target of the one before. */
let lastPlainPath = '/';
/** A user and a password before the host, in a request target that is a whole URL (RFC 9110 §4.2.4). */
const USERINFO = /^[^/]*:\/\/[^/?#]*@/;

/** True if a request target holds a credential or client id after its path, plainly or encoded. */
export function urlHoldsCredentials(url: string): boolean {
  return holds(url, CREDENTIAL);
}

/**
 * Like `urlHoldsCredentials`, but accepts client ids, which are public: some paths have them as parameters.
 */
export function urlHoldsSecret(url: string): boolean {
  return holds(url, SECRET);
}

function holds(url: string, pattern: RegExp): boolean {
  if (url === lastPlainPath) return false;
  if (PLAIN_PATH.test(url)) {
    lastPlainPath = url;
    return false;
  }
  if (!url.startsWith('/') && USERINFO.test(url)) return true;
  const end = url.search(/[?;#]/);
  let text = end < 0 ? '' : url.slice(end);
  for (let decodings = 0; decodings <= DECODINGS_MAX; decodings++) {
    // Some programs drop white space and control characters from a name.
    const tidy = text.replaceAll(/[\0- +]/g, '');
    if (pattern.test(tidy) || GENERATED.test(tidy)) return true;
    const decoded = text.replaceAll(ENCODED_BYTE, (_, byte: string) =>
      String.fromCharCode(Number.parseInt(byte, 16)),
    );
    if (decoded === text) return false;
    text = decoded;
  }
  return false;
}
