import type { Check } from '../check.ts';
import { needs, notApplicable } from '../not-judged.ts';
import { expectRefusal, expectToken, listOf } from '../expect.ts';
import { jsonOf } from '../http-exchange.ts';
import { parseJwt } from '../jwt.ts';
import type { Probe } from '../probe.ts';
import { quoted } from '../quoted.ts';

const UNKNOWN_RESOURCE = 'https://conformance.invalid/unknown';

/** An API that the client's tokens may be for. */
function resourceOf({ target }: Probe): string {
  const { resource } = target.options;
  if (resource === 'none') notApplicable('The server has no parameter resource.');
  return resource ?? needs('an API of the client, or none (--resource)');
}

async function refusal(probe: Probe, resource: string): Promise<string | null> {
  resourceOf(probe);
  return expectRefusal(await probe.token({ resource }), [400], ['invalid_target']);
}

export const RESOURCE_CHECKS: readonly Check[] = [
  {
    id: 'resource-granted',
    section: 'RFC 8707 §2; RFC 9068 §3',
    level: 'SHOULD',
    rule: 'A token that was requested for an API has this API as aud.',
    async run(probe) {
      const resource = resourceOf(probe);
      const answer = await probe.token({ resource });
      const wrong = expectToken(answer);
      if (wrong !== null) return wrong;
      const jwt =
        parseJwt(String(jsonOf(answer)?.['access_token'])) ?? notApplicable('The token is not a JWT.');
      const { aud } = jwt.claims;
      return aud === resource || listOf(aud).includes(resource) ? null : `aud is ${quoted(aud)}.`;
    },
  },
  {
    id: 'resource-unknown',
    section: 'RFC 8707 §2',
    level: 'SHOULD',
    rule: 'An API that the server does not know gets 400 invalid_target.',
    run: async (probe) => await refusal(probe, UNKNOWN_RESOURCE),
  },
  {
    id: 'resource-relative',
    section: 'RFC 8707 §2',
    level: 'MUST',
    rule: 'A resource that is not an absolute URI gets 400 invalid_target.',
    run: async (probe) => await refusal(probe, 'conformance'),
  },
  {
    id: 'resource-fragment',
    section: 'RFC 8707 §2',
    level: 'MUST',
    rule: 'A resource with a fragment gets 400 invalid_target.',
    run: async (probe) => await refusal(probe, `${resourceOf(probe)}#conformance`),
  },
];
