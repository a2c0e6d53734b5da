import { createPublicKey, randomUUID } from 'node:crypto';
import { ASSERTION_LIFE_SECONDS } from '../bounds.ts';
import type { Check } from '../check.ts';
import { ASSERTION_TYPE, type Form } from '../client.ts';
import { expectError, expectNoToken, expectToken } from '../expect.ts';
import { strangersKey } from '../forged-tokens.ts';
import { jsonOf, type HttpAnswer } from '../http-exchange.ts';
import { publicText } from '../jwk.ts';
import { macJwt, signJwt, unsignedJwt } from '../jwt.ts';
import { formRequest, type Probe } from '../probe.ts';

type Claims = Record<string, unknown>;

/** Times in the past must be beyond every tolerance for clocks. */
const LONG_SECONDS = 3600;
const now = () => Math.floor(Date.now() / 1000);

/** Right claims, with these changes; a change to undefined removes the claim. */
function claimsOf(probe: Probe, changes: Claims = {}): Claims {
  const { id } = probe.keyClient();
  const issuer = probe.target.discovery?.metadata['issuer'] ?? probe.target.endpoints.token;
  return {
    iss: id,
    sub: id,
    aud: issuer,
    iat: now(),
    exp: now() + ASSERTION_LIFE_SECONDS,
    jti: randomUUID(),
    ...changes,
  };
}

const signed = (probe: Probe, changes?: Claims, header?: Claims): string =>
  signJwt(probe.keyClient().signer, claimsOf(probe, changes), header);

async function present(probe: Probe, assertion: string, form: Form = {}): Promise<HttpAnswer> {
  return await probe.token(
    { client_assertion_type: ASSERTION_TYPE, client_assertion: assertion, ...form },
    null,
  );
}

/** Presents an assertion that the server must refuse, if it accepts a right one. */
async function refusal(probe: Probe, assertion: string, form?: Form): Promise<HttpAnswer> {
  await probe.baseline('an assertion', async () => expectToken(await present(probe, signed(probe))));
  return await present(probe, assertion, form);
}

/** A rule about one claim: an assertion with these changes is refused. */
function refusedWith(changes: (probe: Probe) => Claims): Check['run'] {
  return async (probe) => expectNoToken(await refusal(probe, signed(probe, changes(probe))));
}

/** The secret that a server would compute from the key if it took the algorithm from the assertion. */
function keyText(probe: Probe): string {
  return publicText(createPublicKey(probe.keyClient().signer.key));
}

export const ASSERTION_CHECKS: readonly Check[] = [
  {
    id: 'assertion-accepted',
    section: 'RFC 7523 §2.2',
    level: 'MUST',
    rule: 'A client gets a token for an assertion that its key signed.',
    run: async (probe) => expectToken(await present(probe, signed(probe))),
  },
  {
    id: 'assertion-client-id',
    section: 'RFC 7521 §4.2',
    level: 'MUST',
    rule: 'A client may send its client_id beside the assertion.',
    run: async (probe) =>
      expectToken(await present(probe, signed(probe), { client_id: probe.keyClient().id })),
  },
  {
    id: 'assertion-other-client-id',
    section: 'RFC 7521 §4.2',
    level: 'MUST',
    rule: 'A client_id that is not that of the assertion gets no token.',
    run: async (probe) =>
      expectNoToken(await refusal(probe, signed(probe), { client_id: 'mintmark-conformance-unknown' })),
  },
  {
    id: 'assertion-iss-missing',
    section: 'RFC 7523 §3 (1)',
    level: 'MUST',
    rule: 'An assertion without iss is refused.',
    run: refusedWith(() => ({ iss: undefined })),
  },
  {
    id: 'assertion-sub-missing',
    section: 'RFC 7523 §3 (2)',
    level: 'MUST',
    rule: 'An assertion without sub is refused.',
    run: refusedWith(() => ({ sub: undefined })),
  },
  {
    id: 'assertion-sub-other',
    section: 'RFC 7523 §3 (2)',
    level: 'MUST',
    rule: 'An assertion whose sub is not the client is refused.',
    run: refusedWith(() => ({ sub: 'mintmark-conformance-unknown' })),
  },
  {
    id: 'assertion-iss-other',
    section: 'RFC 7523 §3 (1)',
    level: 'MUST',
    rule: 'An assertion whose iss is neither the client nor a known issuer is refused.',
    run: refusedWith(() => ({ iss: 'https://conformance.invalid' })),
  },
  {
    id: 'assertion-aud-missing',
    section: 'RFC 7523 §3 (3)',
    level: 'MUST',
    rule: 'An assertion without aud is refused.',
    run: refusedWith(() => ({ aud: undefined })),
  },
  {
    id: 'assertion-aud-other',
    section: 'RFC 7523 §3 (3)',
    level: 'MUST',
    rule: 'An assertion for another server is refused.',
    run: refusedWith(() => ({ aud: 'https://conformance.invalid' })),
  },
  {
    id: 'assertion-exp-missing',
    section: 'RFC 7523 §3 (4)',
    level: 'MUST',
    rule: 'An assertion without exp is refused.',
    run: refusedWith(() => ({ exp: undefined })),
  },
  {
    id: 'assertion-expired',
    section: 'RFC 7523 §3 (4)',
    level: 'MUST',
    rule: 'An expired assertion is refused.',
    run: refusedWith(() => ({ iat: now() - 2 * LONG_SECONDS, exp: now() - LONG_SECONDS })),
  },
  {
    id: 'assertion-too-early',
    section: 'RFC 7523 §3 (5)',
    level: 'MUST',
    rule: 'An assertion before its nbf is refused.',
    run: refusedWith(() => ({ nbf: now() + LONG_SECONDS, exp: now() + 2 * LONG_SECONDS })),
  },
  {
    id: 'assertion-replay',
    section: 'RFC 7523 §3 (7)',
    level: 'MAY',
    rule: 'An assertion works once.',
    async run(probe) {
      const assertion = signed(probe);
      return expectToken(await present(probe, assertion)) ?? expectNoToken(await present(probe, assertion));
    },
  },
  {
    id: 'assertion-changed-signature',
    section: 'RFC 7523 §3 (9)',
    level: 'MUST',
    rule: 'An assertion that another key signed is refused.',
    async run(probe) {
      const { signer } = probe.keyClient();
      const assertion = signJwt(strangersKey(signer.kid), claimsOf(probe));
      return expectNoToken(await refusal(probe, assertion));
    },
  },
  {
    id: 'assertion-embedded-key',
    section: 'RFC 7523 §3 (9); RFC 8725 §3.10',
    level: 'MUST',
    rule: 'An assertion that brings its own key in its header is refused.',
    async run(probe) {
      const stranger = strangersKey(probe.keyClient().signer.kid);
      return expectNoToken(await refusal(probe, signJwt(stranger, claimsOf(probe), { jwk: stranger.jwk })));
    },
  },
  {
    id: 'assertion-unsigned',
    section: 'RFC 7523 §3 (9); RFC 8725 §3.2',
    level: 'MUST',
    rule: 'An assertion with the algorithm none is refused.',
    run: async (probe) => expectNoToken(await refusal(probe, unsignedJwt(claimsOf(probe)))),
  },
  {
    id: 'assertion-confused-algorithm',
    section: 'RFC 8725 §3.1',
    level: 'MUST',
    rule: 'An assertion with a MAC that has the text of the public key as its secret is refused.',
    run: async (probe) => expectNoToken(await refusal(probe, macJwt(keyText(probe), claimsOf(probe)))),
  },
  {
    id: 'assertion-malformed',
    section: 'RFC 7523 §3 (10)',
    level: 'MUST',
    rule: 'An assertion that is not a JWT is refused.',
    async run(probe) {
      probe.keyClient();
      return expectNoToken(await refusal(probe, 'conformance'));
    },
  },
  {
    id: 'assertion-type-unknown',
    section: 'RFC 7521 §4.2; RFC 7523 §2.2',
    level: 'MUST',
    rule: 'An unknown client_assertion_type gets no token.',
    run: async (probe) =>
      expectNoToken(
        await refusal(probe, signed(probe), { client_assertion_type: 'urn:mintmark:conformance:unknown' }),
      ),
  },
  {
    id: 'assertion-error',
    section: 'RFC 7521 §4.2.1; RFC 7523 §3.2',
    level: 'MUST',
    rule: 'A refused assertion gets the error invalid_client.',
    run: async (probe) =>
      expectError(await refusal(probe, signed(probe, { aud: 'https://conformance.invalid' })), [
        'invalid_client',
      ]),
  },
  {
    id: 'assertion-two-methods',
    section: 'RFC 6749 §2.3; RFC 7521 §4.2',
    level: 'MUST',
    rule: 'An assertion beside HTTP Basic gets no token.',
    async run(probe) {
      const form = {
        grant_type: 'client_credentials',
        client_assertion_type: ASSERTION_TYPE,
        client_assertion: signed(probe),
      };
      const caller = { client: probe.client, method: 'basic' } as const;
      const answer = await probe.send(formRequest(probe.target.endpoints.token, form, caller));
      return typeof jsonOf(answer)?.['access_token'] === 'string'
        ? 'The server issued a token.'
        : expectError(answer, ['invalid_request', 'invalid_client']);
    },
  },
];
