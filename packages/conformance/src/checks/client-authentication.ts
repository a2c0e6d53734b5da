import type { Check } from '../check.ts';
import { notApplicable } from '../not-judged.ts';
import { escapedBasicHeader, formCredentials } from '../client.ts';
import {
  challengeOf,
  expectChallenge,
  expectError,
  expectNoToken,
  expectRefusal,
  expectStatus,
  expectToken,
} from '../expect.ts';
import { headerOf } from '../http-exchange.ts';
import { formRequest, type Probe } from '../probe.ts';
import { quoted } from '../quoted.ts';

const GRANT = { grant_type: 'client_credentials' };
const UNKNOWN_CLIENT = { id: 'mintmark-conformance-unknown', secret: 'not-a-secret' };

/** A token request with this `Authorization`. */
async function authorized(probe: Probe, authorization: string) {
  const request = formRequest(probe.target.endpoints.token, GRANT, null);
  return await probe.send({ ...request, headers: { ...request.headers, Authorization: authorization } });
}

const wrongByBasic = async (probe: Probe) =>
  await probe.token({}, { client: probe.wrongSecret, method: 'basic' });

export const CLIENT_AUTHENTICATION_CHECKS: readonly Check[] = [
  {
    id: 'client-basic',
    section: 'RFC 6749 §2.3.1',
    level: 'MUST',
    rule: 'A client with a secret can authenticate by HTTP Basic.',
    run: async (probe) => expectToken(await probe.token({}, { client: probe.client, method: 'basic' })),
  },
  {
    id: 'client-basic-decoding',
    section: 'RFC 6749 §2.3.1',
    level: 'MUST',
    rule: 'The server form-decodes both parts of the credentials in HTTP Basic.',
    run: async (probe) => expectToken(await authorized(probe, escapedBasicHeader(probe.client))),
  },
  {
    id: 'client-form',
    section: 'RFC 6749 §2.3.1',
    level: 'MAY',
    rule: 'A client with a secret can authenticate by parameters of the form.',
    run: async (probe) => expectToken(await probe.token({}, { client: probe.client, method: 'form' })),
  },
  {
    id: 'client-two-methods',
    section: 'RFC 6749 §2.3, §5.2',
    level: 'MUST',
    rule: 'A request that authenticates by two methods gets 400 invalid_request.',
    async run(probe) {
      const caller = { client: probe.client, method: 'basic' } as const;
      const answer = await probe.token(formCredentials(probe.client), caller);
      return expectRefusal(answer, [400], ['invalid_request']);
    },
  },
  {
    id: 'client-wrong-basic-status',
    section: 'RFC 6749 §5.2',
    level: 'MUST',
    rule: 'A wrong secret in HTTP Basic gets 401 invalid_client.',
    run: async (probe) => expectRefusal(await wrongByBasic(probe), [401], ['invalid_client']),
  },
  {
    id: 'client-wrong-basic-challenge',
    section: 'RFC 6749 §5.2',
    level: 'MUST',
    rule: 'The answer to a wrong secret in HTTP Basic has a challenge of this scheme in WWW-Authenticate.',
    run: async (probe) => expectChallenge(await wrongByBasic(probe), 'Basic'),
  },
  {
    id: 'client-basic-realm',
    section: 'RFC 7617 §2',
    level: 'MUST',
    rule: 'A challenge for HTTP Basic has a realm.',
    async run(probe) {
      const challenge =
        challengeOf(await wrongByBasic(probe), 'Basic') ?? notApplicable('There is no challenge.');
      return /\brealm\s*=/i.test(challenge) ? null : `The challenge is ${quoted(challenge)}.`;
    },
  },
  {
    id: 'client-wrong-form-status',
    section: 'RFC 6749 §5.2',
    level: 'MUST',
    rule: 'A wrong secret in the form gets 400 or 401.',
    run: async (probe) =>
      expectStatus(await probe.token({}, { client: probe.wrongSecret, method: 'form' }), [400, 401]),
  },
  {
    id: 'client-wrong-form-error',
    section: 'RFC 6749 §5.2',
    level: 'MUST',
    rule: 'A wrong secret in the form gets the error invalid_client.',
    run: async (probe) =>
      expectError(await probe.token({}, { client: probe.wrongSecret, method: 'form' }), ['invalid_client']),
  },
  {
    id: 'client-401-challenge',
    section: 'RFC 9110 §15.5.2',
    level: 'MUST',
    rule: 'Each answer with 401 has a challenge in WWW-Authenticate, also after credentials in the form.',
    async run(probe) {
      const answer = await probe.token({}, { client: probe.wrongSecret, method: 'form' });
      if (answer.status !== 401) notApplicable(`Wrong credentials in the form get ${answer.status}.`);
      return headerOf(answer, 'www-authenticate') === null ? 'WWW-Authenticate is missing.' : null;
    },
  },
  {
    id: 'client-unknown',
    section: 'RFC 6749 §5.2',
    level: 'MUST',
    rule: 'An unknown client gets 401 invalid_client after HTTP Basic.',
    run: async (probe) =>
      expectRefusal(
        await probe.token({}, { client: UNKNOWN_CLIENT, method: 'basic' }),
        [401],
        ['invalid_client'],
      ),
  },
  {
    id: 'client-no-credentials',
    section: 'RFC 6749 §4.4.2, §5.2',
    level: 'MUST',
    rule: 'A request without credentials gets no token: invalid_client, or invalid_request for the missing parameter.',
    async run(probe) {
      const answer = await probe.token({}, null);
      return expectNoToken(answer) ?? expectError(answer, ['invalid_client', 'invalid_request']);
    },
  },
  {
    id: 'client-id-alone',
    section: 'RFC 6749 §4.4',
    level: 'MUST',
    rule: 'A client with a secret gets no token for its client_id alone.',
    run: async (probe) => expectNoToken(await probe.token({ client_id: probe.client.id }, null)),
  },
  {
    id: 'client-secret-empty',
    section: 'RFC 6749 §2.3.1',
    level: 'MUST',
    rule: 'A client with a secret gets no token for an empty one.',
    run: async (probe) =>
      expectNoToken(await probe.token({}, { client: { ...probe.client, secret: '' }, method: 'form' })),
  },
  {
    id: 'client-basic-malformed',
    section: 'RFC 6749 §5.2',
    level: 'MUST',
    rule: 'Credentials that are not base64 get 400 or 401 with invalid_client or invalid_request.',
    run: async (probe) =>
      expectRefusal(await authorized(probe, 'Basic %%%'), [400, 401], ['invalid_client', 'invalid_request']),
  },
  {
    id: 'client-unknown-scheme',
    section: 'RFC 6749 §5.2',
    level: 'MUST',
    rule: 'A scheme in Authorization that the server does not support gets no token, and an error of §5.2.',
    async run(probe) {
      const answer = await authorized(probe, 'Conformance abc');
      return expectNoToken(answer) ?? expectError(answer, ['invalid_client', 'invalid_request']);
    },
  },
];
