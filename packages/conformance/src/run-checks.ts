import { ANSWER_TIMEOUT_MS } from './bounds.ts';
import type { Check, CheckResult } from './check.ts';
import { NotJudged } from './not-judged.ts';
import { CHECKS } from './checks/all.ts';
import { KEY_SET_CHECKS } from './checks/key-set.ts';
import { METADATA_CHECKS } from './checks/metadata.ts';
import type { AuthenticationMethod } from './client.ts';
import { withDeviation, type Deviation } from './deviation.ts';
import { discover } from './discovery.ts';
import { expectToken } from './expect.ts';
import type { HttpRequest } from './http-exchange.ts';
import { createProbe, formRequest, sendThroughLimits, type Pace, type Run } from './probe.ts';
import { createRedactor, type Redactor } from './redactor.ts';
import { endpointsOf, type Target, type TargetOptions } from './target.ts';

export interface RunOptions {
  /** What the server does otherwise on purpose. */
  deviations?: readonly Deviation[];
  /** Only the checks with these ids. */
  only?: readonly string[];
  /** The time in which the server must answer a request. Default: 10 s. */
  answerTimeoutMs?: number;
  /** Called after each check. */
  onResult?: (result: CheckResult) => void;
}

/**
 * Runs the checks against a server, one after the other. Rejects if the server cannot be reached; every other
 * fault is a result. No result contains a secret, a token or an assertion.
 */
export async function runChecks(
  target: TargetOptions,
  { deviations = [], only, onResult, answerTimeoutMs = ANSWER_TIMEOUT_MS }: RunOptions = {},
): Promise<CheckResult[]> {
  const redactor = createRedactor();
  for (const client of [target.client, target.otherClient])
    if (client !== undefined) redactor.hideClient(client);
  const pace: Pace = { answerTimeoutMs, waitedSeconds: 0 };
  const run: Run = {
    ...pace,
    target: await describeTarget(target, pace),
    redactor,
    firstToken: null,
    baselines: new Map(),
  };
  const results: CheckResult[] = [];
  for (const check of CHECKS.filter(({ id }) => only?.includes(id) ?? true)) {
    const deviation = deviations.find((each) => each.check === check.id);
    const result = withDeviation(await runCheck(check, run), deviation);
    results.push(result);
    onResult?.(result);
  }
  return results;
}

async function describeTarget(options: TargetOptions, pace: Pace): Promise<Target> {
  const send = async (request: HttpRequest) => await sendThroughLimits(pace, request);
  const discovery = await discover(options.url, send);
  const endpoints = endpointsOf(options, discovery);
  const methods: AuthenticationMethod[] = [];
  for (const method of ['basic', 'form'] as const) {
    const caller = { client: options.client, method };
    const request = formRequest(endpoints.token, { grant_type: 'client_credentials' }, caller);
    if (expectToken(await send(request)) === null) methods.push(method);
  }
  return { options, discovery, endpoints, methods };
}

/** Checks that say something about a server that gives the client no token. */
const WITHOUT_TOKEN: ReadonlySet<string> = new Set([
  ...[...METADATA_CHECKS, ...KEY_SET_CHECKS].map(({ id }) => id),
  'token-issued',
  'client-basic',
  'client-form',
]);

const NO_TOKEN = 'a client that gets a token: see token-issued';

async function runCheck(check: Check, run: Run): Promise<CheckResult> {
  const { id, section, level, rule } = check;
  const described = { id, section, level, rule, reason: null };
  if (run.target.methods.length === 0 && !WITHOUT_TOKEN.has(id))
    return { ...described, outcome: 'needs', detail: NO_TOKEN, exchanges: [] };
  const probe = createProbe(run);
  try {
    const wrong = await check.run(probe);
    if (wrong === null) return { ...described, outcome: 'pass', detail: null, exchanges: [] };
    const detail = run.redactor.redact(wrong);
    return { ...described, outcome: 'fail', detail, exchanges: [...probe.exchanges] };
  } catch (error) {
    if (error instanceof NotJudged)
      return { ...described, outcome: error.outcome, detail: error.message, exchanges: [] };
    const detail = brokenConnection(error, run.redactor);
    return { ...described, outcome: 'fail', detail, exchanges: [...probe.exchanges] };
  }
}

/** Faults of the connection are faults of the server; anything else is a bug of the check, and is thrown. */
function brokenConnection(error: unknown, redactor: Redactor): string {
  const { code, name, message } = error as NodeJS.ErrnoException;
  if (code === undefined && name !== 'AbortError' && name !== 'TimeoutError') throw error;
  return redactor.redact(`The server sent no whole answer: ${message}.`);
}
