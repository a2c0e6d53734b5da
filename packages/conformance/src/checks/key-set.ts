import { RSA_BITS_MIN } from '../bounds.ts';
import type { Check } from '../check.ts';
import { notApplicable } from '../not-judged.ts';
import { expectStatus, expectValue, isText } from '../expect.ts';
import { jsonOf, mediaTypeOf } from '../http-exchange.ts';
import { publicKeyOf, type Jwk } from '../jwk.ts';
import { quoted } from '../quoted.ts';

const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];
const MEDIA_TYPES = new Set(['application/json', 'application/jwk-set+json']);

/** The keys by their `kid`, else by their number, for which `isWrong` holds. */
function wrongKeys(keys: readonly Jwk[], isWrong: (key: Jwk) => boolean): string | null {
  const wrong = keys.flatMap((key, i) =>
    isWrong(key) ? [isText(key['kid']) ? key['kid'] : `number ${i + 1}`] : [],
  );
  return wrong.length === 0 ? null : `The rule does not hold for the key ${wrong.join(', ')}.`;
}

export const KEY_SET_CHECKS: readonly Check[] = [
  {
    id: 'keys-published',
    section: 'RFC 7517 §5',
    level: 'MUST',
    rule: 'The key set is a JSON object with the list keys.',
    async run(probe) {
      const answer = await probe.send({ method: 'GET', url: probe.endpoint('jwks') });
      const keys = jsonOf(answer)?.['keys'];
      return expectStatus(answer, [200]) ?? (Array.isArray(keys) ? null : `keys is ${quoted(keys)}.`);
    },
  },
  {
    id: 'keys-media-type',
    section: 'RFC 7517 §8.5.2',
    level: 'SHOULD',
    rule: 'The key set has the content type application/jwk-set+json or application/json.',
    async run(probe) {
      const type = mediaTypeOf(await probe.send({ method: 'GET', url: probe.endpoint('jwks') }));
      return MEDIA_TYPES.has(type) ? null : `The content type is ${quoted(type)}.`;
    },
  },
  {
    id: 'keys-type',
    section: 'RFC 7517 §4.1',
    level: 'MUST',
    rule: 'Each key has a kty.',
    run: async (probe) => wrongKeys(await probe.keySet(), (key) => !isText(key['kty'])),
  },
  {
    id: 'keys-public',
    section: 'RFC 8414 §2; RFC 7517 §9.2',
    level: 'MUST',
    rule: 'No key has a private or symmetric member.',
    run: async (probe) =>
      wrongKeys(await probe.keySet(), (key) => PRIVATE_MEMBERS.some((member) => key[member] !== undefined)),
  },
  {
    id: 'keys-usable',
    section: 'RFC 7518 §6; RFC 8037 §2',
    level: 'MUST',
    rule: 'Each key of the types EC, RSA and OKP has its parameters, and they are a key.',
    run: async (probe) =>
      wrongKeys(
        await probe.keySet(),
        (key) => ['EC', 'RSA', 'OKP'].includes(String(key['kty'])) && publicKeyOf(key) === null,
      ),
  },
  {
    id: 'keys-rsa-size',
    section: 'RFC 7518 §3.3',
    level: 'MUST',
    rule: `An RSA key has at least ${RSA_BITS_MIN} bits.`,
    async run(probe) {
      const keys = (await probe.keySet()).filter((key) => key['kty'] === 'RSA');
      if (keys.length === 0) notApplicable('The key set has no RSA key.');
      const bits = (key: Jwk) => publicKeyOf(key)?.asymmetricKeyDetails?.modulusLength ?? 0;
      return wrongKeys(keys, (key) => bits(key) < RSA_BITS_MIN);
    },
  },
  {
    id: 'keys-kid-unique',
    section: 'RFC 7517 §4.5',
    level: 'SHOULD',
    rule: 'Different keys have different kid.',
    async run(probe) {
      const kids = (await probe.keySet()).map(({ kid }) => kid).filter((kid) => kid !== undefined);
      return expectValue('The number of different kid', new Set(kids).size, kids.length);
    },
  },
  {
    id: 'keys-use',
    section: 'RFC 8414 §2',
    level: 'MUST',
    rule: 'If the key set has keys for encryption beside those for signatures, each key has a use.',
    async run(probe) {
      const keys = await probe.keySet();
      if (!keys.some(({ use }) => use === 'enc')) notApplicable('The key set has no key for encryption.');
      return wrongKeys(keys, ({ use }) => !isText(use));
    },
  },
];
