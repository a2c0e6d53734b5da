// A token endpoint that verifies assertions with jose, as a strict server does.
import type { JWK } from 'jose';
import { calculateJwkThumbprint, decodeProtectedHeader, importJWK, jwtVerify } from 'jose';
import type { Answer, FaultServer, SeenRequest } from './fault-server.ts';
import { problem, startFaultServer, token } from './fault-server.ts';

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const LIFE_SECONDS_MAX = 60;

export interface AssertionServer extends FaultServer {
  /** The assertions' claims, in order. */
  readonly accepted: Record<string, unknown>[];
  /** Why requests were refused, in order. */
  readonly refusals: string[];
  /** Registers the public half of an API user's key; returns its thumbprint. */
  register(clientId: string, jwk: JWK): Promise<string>;
}

export async function startAssertionServer(): Promise<AssertionServer> {
  const keys = new Map<string, JWK>();
  const uses = new Set<string>();
  const accepted: Record<string, unknown>[] = [];
  const refusals: string[] = [];

  async function verified(
    { form, headers }: SeenRequest,
    audience: string,
  ): Promise<Record<string, unknown>> {
    if (form.has('client_secret') || headers.authorization) throw new Error('two credentials');
    if (form.get('client_assertion_type') !== ASSERTION_TYPE) throw new Error('client_assertion_type');
    const assertion = form.get('client_assertion') ?? '';
    const clientId = form.get('client_id') ?? '';
    const { kid = '', alg = '', typ } = decodeProtectedHeader(assertion);
    if (typ !== 'client-authentication+jwt') throw new Error(`typ ${typ}`);
    const jwk = keys.get(`${clientId} ${kid}`);
    if (!jwk) throw new Error(`no key ${kid} of ${clientId}`);
    const { payload } = await jwtVerify(assertion, await importJWK(jwk, alg), {
      issuer: clientId,
      subject: clientId,
      audience,
      maxTokenAge: LIFE_SECONDS_MAX,
      requiredClaims: ['exp', 'iat', 'jti'],
    });
    if (Number(payload.exp) - Number(payload.iat) > LIFE_SECONDS_MAX) throw new Error('life');
    if (typeof payload.aud !== 'string') throw new Error('aud is a list');
    if (uses.has(String(payload.jti))) throw new Error('jti was used');
    uses.add(String(payload.jti));
    return { ...payload };
  }

  const answer: Answer = (response, request, raw) => {
    void (async () => {
      try {
        accepted.push(await verified(request, server.host));
        token()(response, request, raw);
      } catch (error) {
        refusals.push(error instanceof Error ? error.message : String(error));
        problem(403, 'invalid_client')(response, request, raw);
      }
    })();
  };
  const server = await startFaultServer(answer);
  return Object.assign(server, {
    accepted,
    refusals,
    async register(clientId: string, jwk: JWK) {
      const kid = await calculateJwkThumbprint(jwk);
      for (const name of [kid, jwk.kid ?? kid]) keys.set(`${clientId} ${name}`, jwk);
      return kid;
    },
  });
}
