import type { CompactJWSHeaderParameters } from 'jose';
import { isAlgorithm, type Algorithm } from './algorithms.ts';
import { Refusal } from './errors.ts';

const KID_LENGTH_MAX = 256;
/** RFC 7515 §4.1.2–4.1.6: header members that supply or reference a key. */
const KEYS_IN_HEADER = ['jku', 'jwk', 'x5u', 'x5c'] as const;

export function checkedAlgorithm(header: CompactJWSHeaderParameters): Algorithm {
  const { alg } = header;
  // RFC 9068 §4: the type is case-insensitive, with or without "application/" (RFC 7515 §4.1.9).
  if (typeof header.typ !== 'string' || !/^(application\/)?at\+jwt$/i.test(header.typ)) {
    throw new Refusal('type', 'Its typ is not at+jwt: it is not an access token.');
  }
  // Refuses even extensions that jose supports: access tokens need none.
  if (Object.hasOwn(header, 'crit') || Object.hasOwn(header, 'b64')) {
    throw new Refusal('critical_header', 'Its header asks for extensions.');
  }
  if (KEYS_IN_HEADER.some((name) => Object.hasOwn(header, name))) {
    throw new Refusal('key_in_header', 'Its header contains or references a key.');
  }
  if (!isAlgorithm(alg)) throw new Refusal('algorithm', 'Its algorithm is not allowed.');
  return alg;
}

export function kidOf({ kid }: CompactJWSHeaderParameters): string | undefined {
  if (kid === undefined) return undefined;
  if (typeof kid !== 'string' || kid.length > KID_LENGTH_MAX) {
    throw new Refusal('malformed', `Its kid is not a text of at most ${KID_LENGTH_MAX} characters.`);
  }
  return kid;
}
