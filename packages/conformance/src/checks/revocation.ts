import type { Check } from '../check.ts';
import type { Form } from '../client.ts';
import { expectRefusal, expectStatus, expectValue } from '../expect.ts';
import { jsonOf, type HttpAnswer } from '../http-exchange.ts';
import { notApplicable } from '../not-judged.ts';
import type { Probe } from '../probe.ts';

const UNKNOWN_TOKEN = 'mintmark-conformance-unknown-token';

/** RFC 7009 §2.2.1 lets a server say that it cannot revoke tokens of a type. */
async function revoke(probe: Probe, form: Form): Promise<HttpAnswer> {
  const answer = await probe.post(probe.endpoint('revocation'), form);
  return jsonOf(answer)?.['error'] === 'unsupported_token_type'
    ? notApplicable('The server revokes no tokens of this type.')
    : answer;
}

/** What introspection says of a token after an attempt to revoke it. */
async function isActiveAfter(probe: Probe, token: string, attempt: () => Promise<void>): Promise<unknown> {
  const url = probe.endpoint('introspection');
  const isActive = async () => {
    const report = jsonOf(await probe.post(url, { token }));
    if (report?.['error'] === 'unsupported_token_type')
      notApplicable('The server introspects no tokens of this type.');
    return report?.['active'];
  };
  await probe.baseline('introspection', async () => expectValue('active', await isActive(), true));
  await attempt();
  return await isActive();
}

export const REVOCATION_CHECKS: readonly Check[] = [
  {
    id: 'revocation-own',
    section: 'RFC 7009 §2.2',
    level: 'MUST',
    rule: 'A client revokes its token: 200.',
    async run(probe) {
      probe.endpoint('revocation');
      const { token } = await probe.issue();
      return expectStatus(await revoke(probe, { token }), [200]);
    },
  },
  {
    id: 'revocation-unknown',
    section: 'RFC 7009 §2.2',
    level: 'MUST',
    rule: 'A token that the server does not know gets 200, too.',
    run: async (probe) => expectStatus(await revoke(probe, { token: UNKNOWN_TOKEN }), [200]),
  },
  {
    id: 'revocation-twice',
    section: 'RFC 7009 §2.2',
    level: 'MUST',
    rule: 'A second revocation of a token gets 200, too.',
    async run(probe) {
      probe.endpoint('revocation');
      const { token } = await probe.issue();
      await revoke(probe, { token });
      return expectStatus(await revoke(probe, { token }), [200]);
    },
  },
  {
    id: 'revocation-hint',
    section: 'RFC 7009 §2.1',
    level: 'MUST',
    rule: 'A wrong token_type_hint does not keep a token from being revoked.',
    async run(probe) {
      probe.endpoint('revocation');
      const { token } = await probe.issue();
      const isActive = await isActiveAfter(probe, token, async () => {
        await revoke(probe, { token, token_type_hint: 'refresh_token' });
      });
      return expectValue('active after the revocation', isActive, false);
    },
  },
  {
    id: 'revocation-token-missing',
    section: 'RFC 7009 §2.1; RFC 6749 §5.2',
    level: 'MUST',
    rule: 'A request without token gets 400 invalid_request.',
    run: async (probe) => expectRefusal(await revoke(probe, {}), [400], ['invalid_request']),
  },
  {
    id: 'revocation-unauthenticated',
    section: 'RFC 7009 §2.1',
    level: 'MUST',
    rule: 'A caller without credentials revokes no token of a client with a secret.',
    async run(probe) {
      const url = probe.endpoint('revocation');
      const { token } = await probe.issue();
      return expectStatus(await probe.post(url, { token }, null), [400, 401, 403]);
    },
  },
  {
    id: 'revocation-wrong-secret',
    section: 'RFC 7009 §2.2.1; RFC 6749 §5.2',
    level: 'MUST',
    rule: 'A wrong secret in HTTP Basic gets 401 invalid_client.',
    async run(probe) {
      const url = probe.endpoint('revocation');
      const { token } = await probe.firstToken();
      const caller = { client: probe.wrongSecret, method: 'basic' } as const;
      return expectRefusal(await probe.post(url, { token }, caller), [401], ['invalid_client']);
    },
  },
  {
    id: 'revocation-other-client',
    section: 'RFC 7009 §2.1',
    level: 'MUST',
    rule: 'A client cannot revoke a token of another client.',
    async run(probe) {
      const url = probe.endpoint('revocation');
      const other = probe.otherClient();
      const { token } = await probe.issue();
      const isActive = await isActiveAfter(probe, token, async () => {
        await probe.post(url, { token }, other);
      });
      return expectValue('active after the attempt', isActive, true);
    },
  },
];
