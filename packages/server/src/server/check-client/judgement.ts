import { acceptedCalls, refusedCalls, type Observation } from './observation.ts';

export type Verdict = 'yes' | 'no' | 'not judged';

export interface Judgement {
  verdict: Verdict;
  /** One sentence or more: what the program did, or what it did not do for a verdict. */
  detail: string;
}

export type Judge = (observation: Observation) => Judgement;

const yes = (detail: string): Judgement => ({ verdict: 'yes', detail });
const no = (detail: string): Judgement => ({ verdict: 'no', detail });
const notJudged = (detail: string): Judgement => ({ verdict: 'not judged', detail });

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

function ending({ program }: Observation): string {
  if (program.timedOut) return 'It did not end in time.';
  return `It ended with ${endOf(program)}.`;
}

function endOf({ exitCode }: Observation['program']): string {
  return exitCode === null ? 'a signal' : `exit code ${exitCode}`;
}

function lostCalls(observation: Observation, calls: number): string {
  return `${acceptedCalls(observation)} of ${count(calls, 'call')} succeeded. ${ending(observation)}`;
}

/** One token serves all calls, which follow each other. */
export function judgeCache(calls: number): Judge {
  return (observation) => {
    const requests = observation.tokenRequests.length;
    const accepted = acceptedCalls(observation);
    const numbers = `${count(requests, 'token request')} for ${count(accepted, 'call')}.`;
    if (accepted < 2)
      return notJudged(`A cache shows from the second call on. ${lostCalls(observation, calls)}`);
    return requests === 1 ? yes(numbers) : no(numbers);
  };
}

/** Calls that need their first token at the same time share one request. */
export function judgeParallel(calls: number): Judge {
  return (observation) => {
    const requests = observation.tokenRequests.length;
    const accepted = acceptedCalls(observation);
    const numbers = `${count(requests, 'token request')} for ${count(accepted, 'call')}.`;
    if (accepted < 2) return notJudged(lostCalls(observation, calls));
    if (requests > 1 && observation.callsAtOnceMax > 1) return no(numbers);
    if (observation.callsAtOnceMax > 1) return yes(numbers);
    return notJudged(`It made its calls one after the other: ${numbers}`);
  };
}

/** No call is sent with an expired token. */
export function judgeRenewal(calls: number, lifeMs: number): Judge {
  return (observation) => {
    const { tokenRequests } = observation;
    const accepted = acceptedCalls(observation);
    const refused = refusedCalls(observation);
    const [first, second] = tokenRequests.filter(({ status }) => status === 200);
    if (accepted === 0) return notJudged(lostCalls(observation, calls));
    if (refused > 0)
      return no(`${count(refused, 'call')} came with an expired token. ${lostCalls(observation, calls)}`);
    const lastCallMs = observation.calls.at(-1)?.atMs ?? 0;
    if (first === undefined || lastCallMs < first.atMs + lifeMs)
      return notJudged(`It made no call after the first token had expired. ${lostCalls(observation, calls)}`);
    if (accepted < calls) return no(lostCalls(observation, calls));
    if (second === undefined || tokenRequests.length >= calls)
      return yes(`${count(tokenRequests.length, 'token request')} for ${count(accepted, 'call')}.`);
    const leftMs = first.atMs + lifeMs - second.atMs;
    const time =
      leftMs > 0 ? `${seconds(leftMs)} before the first token expired` : 'when the first token had expired';
    return yes(`It requested the second token ${time}.`);
  };
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

/** What the program did after its token was refused; null if it did all that it should. */
function afterRefusal(observation: Observation, calls: number): Judgement | null {
  const { eventAtMs, tokenRequests } = observation;
  const refused = refusedCalls(observation);
  if (eventAtMs === null || refused === 0 || acceptedCalls(observation) === 0)
    return notJudged(`No call was refused after a good one. ${lostCalls(observation, calls)}`);
  if (acceptedCalls(observation) >= calls) return null;
  const renewed = tokenRequests.some(({ atMs }) => atMs >= eventAtMs);
  const what = renewed
    ? 'It requested a new token, but did not repeat the call'
    : 'It requested no new token';
  return no(`${what}: ${count(refused, 'call')} got 401. ${lostCalls(observation, calls)}`);
}

/** After a 401, the call is repeated with a new token. */
export function judgeUnauthorized(calls: number): Judge {
  return (observation) =>
    afterRefusal(observation, calls) ??
    (refusedCalls(observation) === 1
      ? yes('It repeated the refused call with a new token.')
      : no(`It sent ${count(refusedCalls(observation), 'call')} with refused tokens, instead of one.`));
}

/** When many calls are refused at once, they share one new token. */
export function judgeRotation(calls: number): Judge {
  return (observation) => {
    const { eventAtMs, tokenRequests, callsAtOnceMax } = observation;
    const flaw = afterRefusal(observation, calls);
    if (flaw !== null) return flaw;
    const renewals = tokenRequests.filter(({ atMs }) => atMs >= (eventAtMs ?? 0)).length;
    const numbers = `${count(renewals, 'token request')} for ${count(refusedCalls(observation), 'refused call')}.`;
    return renewals > 1 && callsAtOnceMax > 1 ? no(numbers) : yes(numbers);
  };
}

/** Timers may fire this much early, and clocks round. */
const EARLY_MS_MAX = 50;

/** The first token request got `Retry-After`: the next one comes after that time. */
export function judgeRetryAfter(calls: number, status: number, waitMs: number): Judge {
  return (observation) => {
    const [first, second] = observation.tokenRequests;
    if (first === undefined) return notJudged(`It requested no token. ${ending(observation)}`);
    if (second === undefined) return no(`It gave up after the ${status}. ${ending(observation)}`);
    const waitedMs = second.atMs - first.atMs;
    if (waitedMs < waitMs - EARLY_MS_MAX)
      return no(`It tried again after ${seconds(waitedMs)} instead of ${seconds(waitMs)}.`);
    if (acceptedCalls(observation) < calls) return no(lostCalls(observation, calls));
    return yes(`It tried again after ${seconds(waitedMs)}.`);
  };
}

/** One request, and one more with the credentials sent differently (RFC 6749 §2.3.1). */
const FORBIDDEN_REQUESTS_MAX = 2;

/** With a wrong secret, the program stops and reports it. */
export function judgeForbidden(observation: Observation): Judgement {
  const { calls, tokenRequests, program } = observation;
  const requests = count(tokenRequests.length, 'token request');
  if (tokenRequests.length === 0) return notJudged(`It requested no token. ${ending(observation)}`);
  if (calls.length > 0)
    return no(
      `It called the API ${calls.length === 1 ? 'once' : `${calls.length} times`} without a token, after ${requests}.`,
    );
  if (tokenRequests.length > FORBIDDEN_REQUESTS_MAX)
    return no(`It sent ${requests} with the wrong secret. ${ending(observation)}`);
  if (program.timedOut) return no(`It did not end, after ${requests}.`);
  if (program.exitCode === 0) return no('It ended with exit code 0, as after a success.');
  return yes(`${requests}, then ${endOf(program)}.`);
}

/** Over all runs: neither secret nor token on stdout and stderr. */
export function judgeLeaks(runs: readonly { name: string; observation: Observation }[]): Judgement {
  const names = new Map<string, string[]>();
  for (const { name, observation } of runs)
    for (const { what, stream } of observation.program.leaks) {
      const leak = `${what} on ${stream}`;
      names.set(leak, [...(names.get(leak) ?? []), name]);
    }
  if (names.size > 0)
    return no(Array.from(names, ([leak, list]) => `It printed ${leak} (${list.join(', ')}).`).join(' '));
  const hadToken = runs.some(({ observation }) => acceptedCalls(observation) > 0);
  return hadToken ? yes('It printed neither.') : notJudged('It never used a token.');
}
