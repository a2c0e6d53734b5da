import { withDeadline } from '../../lib/deadline.ts';
import { generateSecret } from '../../domain/secret.ts';
import { INTROSPECT_PATH, REVOKE_PATH, TOKEN_PATH } from '../../http/paths.ts';
import { INTROSPECT_SCOPE } from '../../oauth/introspect-token.ts';
import { startSandbox, type Mintmark } from '../sandbox/sandbox.ts';
import type { SandboxApiUser } from '../sandbox/issuing.ts';
import type { Observation } from './observation.ts';
import { runProgram } from './program.ts';
import { startProtectedApi, type ApiEvent, type ProtectedApi } from './protected-api.ts';
import type { Scenario } from './scenarios.ts';

/** What is checked, and how it is started. */
export interface Subject {
  /** The program and its arguments. */
  command: readonly string[];
  env: Readonly<Record<string, string | undefined>>;
  /** The scopes that the program may ask for. */
  scopes: readonly string[];
  /** The audiences that the program may ask for; empty: that of the server. */
  audiences: readonly string[];
  /** Ends the check early. */
  signal: AbortSignal;
}

/** Of the API of the check, which asks about every token. */
const CALLS_PER_MINUTE = 1_000_000;
/** The sandbox answers requests of the check itself within this time. */
const ANSWER_MS = 10_000;

/** Runs the program once, against a server and an API of its own. */
export async function runScenario(scenario: Scenario, subject: Subject): Promise<Observation> {
  const { scopes, audiences } = subject;
  await using mint = await startSandbox({
    runs: true,
    settings: {
      MINTMARK_TOKEN_LIFE: String(scenario.tokenLifeSeconds),
      MINTMARK_ADDRESS_LIMIT: String(CALLS_PER_MINUTE),
    },
  });
  const user = await mint.createApiUser({ name: 'Program', scopes, audiences });
  const reader = await mint.createApiUser({
    name: 'API',
    scopes: [INTROSPECT_SCOPE],
    audiences,
    limitPerMinute: CALLS_PER_MINUTE,
  });
  await using api = await startProtectedApi({
    isActive: async (token) => {
      const answer = await post(mint, INTROSPECT_PATH, reader, token);
      return (JSON.parse(answer) as { active: boolean }).active;
    },
    holdMs: scenario.holdMs,
    event: eventOf(scenario, mint, user),
  });
  scenario.prepare?.(mint.faults);
  const clientSecret = scenario.wrongSecret ? generateSecret().secret : user.clientSecret;
  const credentials = { issuer: mint.baseUrl, clientId: user.clientId, clientSecret };
  const program = await runProgram({
    command: subject.command,
    env: environment(subject, scenario, credentials, api),
    credentials,
    limitMs: scenario.limitMs,
    signal: subject.signal,
  });
  api.assertSound();
  const tokenRequests = mint.requests.filter(({ endpoint }) => endpoint === 'token');
  return {
    calls: api.calls.slice(),
    tokenRequests: tokenRequests.map(({ at, status }) => ({ atMs: at, status })),
    callsAtOnceMax: api.callsAtOnceMax(),
    eventAtMs: api.eventAtMs(),
    program,
  };
}

function eventOf({ event }: Scenario, mint: Mintmark, user: SandboxApiUser): ApiEvent | undefined {
  if (event === undefined) return undefined;
  const { atCall, gatherMs, change } = event;
  const run = async (token: string): Promise<void> => {
    if (change === 'withdraw the signing key') await mint.faults.withdrawKey();
    else await post(mint, REVOKE_PATH, user, token);
  };
  return { atCall, gatherMs, run };
}

/** Asks the server about a token, or revokes it (RFC 7662, RFC 7009). */
async function post(
  { baseUrl }: Mintmark,
  path: string,
  { clientId, clientSecret }: SandboxApiUser,
  token: string,
): Promise<string> {
  const body = new URLSearchParams({ client_id: clientId, client_secret: clientSecret, token });
  const response = await withDeadline(
    fetch(baseUrl + path, { method: 'POST', body }),
    ANSWER_MS,
    () => new Error(`${path} of the sandbox did not answer in time.`),
  );
  if (!response.ok) throw new Error(`${path} of the sandbox answered ${response.status}.`);
  return await response.text();
}

/** The environment of the check, with the variables for the program instead of all others of Mintmark. */
function environment(
  { env }: Subject,
  { calls, parallel }: Scenario,
  { issuer, clientId, clientSecret }: SandboxApiUser & { issuer: string },
  { url }: ProtectedApi,
): Record<string, string | undefined> {
  const others = Object.entries(env).filter(([name]) => !name.startsWith('MINTMARK_'));
  return {
    ...Object.fromEntries(others),
    // A proxy does not reach this machine's loopback address.
    NO_PROXY: '127.0.0.1',
    no_proxy: '127.0.0.1',
    MINTMARK_CLIENT_ID: clientId,
    MINTMARK_CLIENT_SECRET: clientSecret,
    MINTMARK_ISSUER: issuer,
    MINTMARK_TOKEN_URL: issuer + TOKEN_PATH,
    MINTMARK_API_URL: url,
    MINTMARK_CALLS: String(calls),
    MINTMARK_PARALLEL: String(parallel),
  };
}
