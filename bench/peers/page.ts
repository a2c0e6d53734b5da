// bench/results/peers.md, and the lines of a run in the README.
import { table } from '../table.ts';
import { LIMIT, MINTMARK } from './servers.ts';
import { notAhead, rounded, summariesOf, type Population, type Quartiles, type Summary } from './summary.ts';
import { THREADS, type Place } from './slices.ts';

export interface Run {
  /** One API user, then many. */
  populations: readonly [Population, Population];
  rounds: number;
  /** The machine, and how quiet it was. */
  machine: string;
  versions: readonly string[];
}

/** From the documentation of these versions. */
const ABILITIES = `- **oidc-provider**: people sign in with it. It has OpenID Connect, the authorization code grant with PKCE, refresh tokens, the
  device flow and CIBA; dynamic client registration (RFC 7591, 7592); tokens that are bound to a key or a certificate (DPoP, RFC
  9449; mTLS, RFC 8705); PAR, JAR, JARM and rich authorization requests; opaque tokens, encrypted tokens, and signed introspection
  responses (RFC 9701). It is certified by the OpenID Foundation, for FAPI 2.0 too, and runs inside a Node application, on any
  store.
- **@node-oauth/oauth2-server**: the authorization code grant with PKCE, refresh tokens, passwords of people, and grants of your own; tokens
  of any form; any store, and any framework.
- **@jmondi/oauth2-server**: the authorization code grant with PKCE, refresh tokens, the implicit grant, passwords of people, and token exchange
  (RFC 8693); any store; adapters for Express, Fastify, H3 and fetch.`;

const SERVERS = `The servers run on one core, all their threads included. CPU time is the scheduler's count of each thread. wrk sends requests over 32
kept connections for a second at a time, from another core, or from the core of the servers: waking a second core costs a server time, and a
core that is shared evicts its caches. The servers take turns within each round, in reverse order every second round, and the
limit and Mintmark are neighbours. Ratios are those of slices of one round. Before and after the slices, each server must issue
50 different tokens with ES256 signatures that jose verifies, and refuse a wrong secret, the secret of another API user, and an unknown
one. A slice with a single failed request ends the run.

- **limit**: a hand-written node:http server that parses the form, hashes the secret, signs, and answers. It has the digests of the
  secrets in memory, answers each request as it arrives, and does nothing else. Mintmark can cost less: it takes the requests of a turn of the
  event loop through each step together ([decision 099](../../docs/decisions/099-cohorts.md)).
- **Mintmark**: as it is installed, on SQLite, with rate limits that the load does not reach.
- **oidc-provider**: on node:http, with JWTs as its documentation configures them. One client is static. Many clients are in a Map in
  memory behind its adapter interface, with their secrets as plain text, which it compares; its cache holds 100 clients.
- **@node-oauth/oauth2-server** and **@jmondi/oauth2-server** are libraries. They leave the store to their user (here a Map in memory with
  SHA-256 digests), and the signature. As their documentation shows them, they run with Express, here with the signatures of jsonwebtoken.
  **bare** is as little as possible around them: node:http, and the signer of the limit.

No server writes to a store for a token, because a JWT needs none. Only Mintmark limits rates, counts usage, and has metrics.`;

export function peersPage(run: Run): string {
  const [one, many] = run.populations.map(summariesOf) as [Summary[], Summary[]];
  const users = run.populations[1].apiUsers.toLocaleString('en-US');
  const lines = notAheadLines(one, many, users);
  return `# A token, beside other servers

\`npm run bench -- peers\` writes this page, the chart, and the lines of the README; ${run.machine}. ${run.versions.join(', ')}. Medians of ${run.rounds} slices of each
kind.

![CPU time of a token in multiples of the hand-written limit: the tables below have the numbers.](peers.svg)

## One API user

${populationTables(one)}

## ${users} API users at random

${populationTables(many)}

## CPU time by thread

With one API user and the load on another core, in µs a token. V8's threads collect garbage and compile; that of SQLite writes usage;
libuv's do the cryptography of WebCrypto.

${table([['server', ...THREADS], ...one.map(({ name, microsByThread }) => [name, ...THREADS.map((thread) => microsByThread[thread].toFixed(1))])])}

## Start and memory

With one API user; one start of each server, and the resident memory after the load.

${table([['server', 'ms from start to ready', 'MiB'], ...one.map(({ name, readyMs, residentMiB }) => [name, readyMs.toFixed(0), residentMiB.toFixed(0)])])}

## Where Mintmark is not ahead

${lines.length === 0 ? 'In none of the measurements above.' : lines.map((line) => `- ${line}.`).join('\n')}

## What the others can do, and Mintmark cannot

${ABILITIES}

## How it was measured

${SERVERS}
`;
}

function notAheadLines(one: Summary[], many: Summary[], users: string): string[] {
  // Start and memory were compared with one API user alone: with many, they are those of the maps of this benchmark.
  const ofMany = notAhead(many).filter((line) => !/^(time from start|resident)/.test(line));
  return [
    ...notAhead(one).map((line) => `One API user, ${line}`),
    ...ofMany.map((line) => `${users} API users, ${line}`),
  ];
}

const TITLES: readonly (readonly [Place, string])[] = [
  ['own', 'Load on another core:'],
  ['shared', 'Load on the same core:'],
];
const HEAD = [
  'server',
  'CPU µs/token',
  'quartiles',
  'of the limit',
  'quartiles',
  'tokens/s',
  'p50 ms',
  'p99 ms',
];

function populationTables(summaries: readonly Summary[]): string {
  return TITLES.map(([place, title]) => {
    const rows = summaries.map(({ name, byPlace }) => {
      const { micros, ratio, perSecond, p50Ms, p99Ms } = byPlace[place];
      const cost = [micros.median.toFixed(1), spread(micros, 1), ratio.median.toFixed(2), spread(ratio, 2)];
      return [name, ...cost, perSecond.toFixed(0), p50Ms.toFixed(2), p99Ms.toFixed(2)];
    });
    return `${title}\n\n${table([HEAD, ...rows])}`;
  }).join('\n\n');
}

function spread({ first, third }: Quartiles, digits: number): string {
  return `${first.toFixed(digits)} to ${third.toFixed(digits)}`;
}

const BEGIN = '<!-- npm run bench -- peers writes the lines from here -->';
const END = '<!-- to here -->';

/** Replaces the lines between the two comments. */
export function withReadmeLines(readme: string, run: Run): string {
  const [before, rest] = readme.split(BEGIN);
  const after = rest?.split(END)[1];
  if (before === undefined || after === undefined) throw new Error(`The README has no line "${BEGIN}".`);
  return `${before}${BEGIN}\n\n${readmeLines(run)}\n\n${END}${after}`;
}

function readmeLines({ populations }: Run): string {
  const [one, many] = populations.map(summariesOf) as [Summary[], Summary[]];
  const users = populations[1].apiUsers.toLocaleString('en-US');
  const ratios = (summaries: readonly Summary[]): string =>
    summaries
      .filter(({ name }) => name !== LIMIT)
      .map(({ name, byPlace }) => `${name} ${rounded(byPlace.own.ratio.median)}`)
      .join(', ');
  return `![CPU time of a token in multiples of a hand-written server. One API user: ${ratios(one)}. ${users} API users: ${ratios(many)}.](bench/results/peers.svg)

[The results beside other servers](bench/results/peers.md) say how this was measured, what these servers can do that ${MINTMARK} cannot, and
where ${MINTMARK} is not ahead.`;
}
