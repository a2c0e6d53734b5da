import { seededRandom } from '../../lib/seeded-random.ts';
import { ENDPOINT_NAMES, type Endpoint } from './journal.ts';
import { InvalidInput, spanMs, type Span } from './span.ts';

/** What goes wrong with a request. A fault with only `delay` or `slow` leaves the answer as it is. */
export interface Fault {
  /** Default: any request. */
  endpoint?: Endpoint;
  /** Answers with this status and an error of RFC 6749 instead of asking the server. */
  status?: number;
  /** Seconds in `Retry-After`. Default with status 429 or 503: 1. */
  retryAfter?: number;
  /** An error page in HTML, as a proxy sends it. Default status: 502. */
  html?: true;
  /** Waits by the clock of the sandbox before the request reaches the server. */
  delay?: Span;
  /** Resets the connection before the first byte of the answer, in its headers, or in its body. */
  reset?: (typeof RESET_NAMES)[number];
  /** Sends the body in 16 parts, with this wait before each, by the clock of the sandbox. */
  slow?: Span;
  /** `half`: half of the token is missing. `unknown key`: a key that is not in the key set signed it. */
  token?: (typeof TOKEN_FAULT_NAMES)[number];
}

/** Faults that follow each other. */
export interface FaultSequence {
  /** The fault of the request after that, at the same endpoint unless `fault` names another. */
  then(fault: Fault): FaultSequence;
}

export interface RandomFaults {
  /** Between 0 and 1. Default 0.3. */
  rate?: number;
  /** Default: any request. */
  endpoint?: Endpoint;
}

/** The faults of requests. Those of `next` come first, then those of `during`, then those of a seed. */
export interface RequestFaults {
  /** The fault of the next request. */
  next(fault: Fault): FaultSequence;
  /** The fault of every request for this span of the sandbox's clock. */
  during(span: Span, fault: Fault): void;
  /** Faults chosen by a seed: the same seed and the same requests bring the same faults. */
  bySeed(seed: number, options?: RandomFaults): void;
  /** Ends all faults of requests. */
  clear(): void;
}

export interface FaultSource extends RequestFaults {
  /** Returns the fault of a request, and counts it as used. */
  faultOf(endpoint: Endpoint): Fault | null;
}

export const RESET_NAMES = ['before', 'in the headers', 'in the body'] as const;
export const TOKEN_FAULT_NAMES = ['half', 'unknown key'] as const;

/** The faults that a seed chooses from: all that a client should survive by a retry. */
const RANDOM: readonly Fault[] = [
  { status: 503, retryAfter: 1 },
  { status: 429, retryAfter: 2 },
  { status: 500 },
  { html: true },
  { reset: 'before' },
  { reset: 'in the headers' },
  { reset: 'in the body' },
  { delay: '1 s' },
];

/** The most faults that wait for a request or hold for a span. */
const FAULTS_MAX = 1000;

export function createFaults(now: () => number): FaultSource {
  let queue: Fault[] = [];
  let lasting: { untilMs: number; fault: Fault }[] = [];
  let random: { next: () => number; options: RandomFaults } | null = null;

  const fits = (fault: Fault, endpoint: Endpoint) =>
    fault.endpoint === undefined || fault.endpoint === endpoint;

  function randomFault(endpoint: Endpoint): Fault | null {
    if (random === null || !fits(random.options, endpoint)) return null;
    const { next, options } = random;
    if (next() >= (options.rate ?? 0.3)) return null;
    return RANDOM[Math.floor(next() * RANDOM.length)] ?? null;
  }

  function refuseTooMany(): void {
    if (queue.length + lasting.length >= FAULTS_MAX)
      throw new InvalidInput(`${FAULTS_MAX} faults wait for a request: clear them first.`);
  }

  function add(fault: Fault): FaultSequence {
    refuseTooMany();
    queue.push(checkedFault(fault));
    return {
      // An `await` calls `then` with functions, and must not hang.
      // oxlint-disable-next-line unicorn/no-thenable
      then(following: Fault | ((value: undefined) => void)) {
        if (typeof following === 'function') return following(undefined) as never;
        const { endpoint } = fault;
        return add({ ...(endpoint !== undefined && { endpoint }), ...following });
      },
    };
  }

  return {
    next: add,
    during(span, fault) {
      refuseTooMany();
      lasting.push({ untilMs: now() + spanMs(span, 'during'), fault: checkedFault(fault) });
    },
    bySeed(seed, options = {}) {
      random = { next: seededRandom(seed), options };
    },
    clear() {
      queue = [];
      lasting = [];
      random = null;
    },
    faultOf(endpoint) {
      const index = queue.findIndex((fault) => fits(fault, endpoint));
      if (index >= 0) return queue.splice(index, 1)[0] ?? null;
      lasting = lasting.filter(({ untilMs }) => untilMs > now());
      return lasting.find(({ fault }) => fits(fault, endpoint))?.fault ?? randomFault(endpoint);
    },
  };
}

/** Throws InvalidInput that names all that is wrong with a fault. */
export function checkedFault(fault: Fault): Fault {
  const { endpoint, status, retryAfter, html, delay, reset, slow, token, ...others } = fault;
  const oneOf = (name: string, value: string | undefined, names: readonly string[]) =>
    value === undefined || names.includes(value) ? [] : [`${name}: not one of ${names.join(', ')}`];
  const problems = [
    ...oneOf('endpoint', endpoint, ENDPOINT_NAMES),
    ...oneOf('reset', reset, RESET_NAMES),
    ...oneOf('token', token, TOKEN_FAULT_NAMES),
    ...Object.keys(others).map((name) => `${name}: there is no such fault`),
    ...(status === undefined || (Number.isInteger(status) && status >= 200 && status <= 599)
      ? []
      : ['status: not a whole number from 200 to 599']),
    ...(retryAfter === undefined || (Number.isInteger(retryAfter) && retryAfter >= 0)
      ? []
      : ['retryAfter: not a whole number of seconds']),
    ...([status, html, delay, reset, slow, token].every((part) => part === undefined)
      ? ['nothing goes wrong: name a status, html, delay, reset, slow or token']
      : []),
  ];
  if (delay !== undefined) spanMs(delay, 'delay');
  if (slow !== undefined) spanMs(slow, 'slow');
  if (problems.length > 0)
    throw new InvalidInput(`The fault ${JSON.stringify(fault)}: ${problems.join('; ')}.`);
  return fault;
}
