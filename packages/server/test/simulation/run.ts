import { runUniverse } from './globals.ts';
import { seededRandom } from '@mintmark/test-support/seeded-random';
import { updateApiUser, revokeApiUserTokens } from '../../src/admin/api-user.ts';
import { rotateSigningKey } from '../../src/admin/signing-key.ts';
import { AppError } from '../../src/domain/app-error.ts';
import { SYSTEM } from '../../src/domain/actor.ts';
import type { Assertion } from '../../src/domain/assertion.ts';
import { usedAssertionKey } from '../../src/domain/used-assertion.ts';
import { revocationDigest } from '../../src/domain/revocation.ts';
import type { Maintenance } from '../../src/server/maintenance.ts';
import { StoreError } from '../../src/storage/store-error.ts';
import type { Store } from '../../src/storage/store.ts';
import { claimsOf, History, isWithdrawn, kidOf, type Outcome } from './history.ts';
import type { Violation } from './invariants.ts';
import { Network, type Link } from './network.ts';
import { SimulatedNode, type Surroundings } from './node.ts';
import {
  PLAN_ENDS_MS,
  stepText,
  type AdminChange,
  type AssertionCall,
  type Call,
  type Fault,
  type Step,
} from './plan.ts';
import type { Plant } from './planted-bugs.ts';
import { signedAssertion } from './sent-assertion.ts';
import { SharedCounters } from './shared-counters.ts';
import { StoreServer, type Commit } from './store-server.ts';
import { NODES, type Member, type Template } from './template.ts';
import { STARTS_AT, Universe } from './universe.ts';

/** After the last step everything works for up to this long: a circuit breaker waits up to 8 s. */
const RECOVERY_MS = 9500;
/** The run ends sooner if all nodes know what the store has, and still do after this time. */
const SETTLED_MS = 2500;
const LOOK_MS = 100;
const STOP_MS = 15_000;

export interface Run {
  violations: readonly Violation[];
  tokens: number;
  events: number;
  commits: number;
  /** What happened, if it was traced. */
  lines: readonly string[];
}

export interface RunOptions {
  seed: number;
  plan: readonly Step[];
  template: Template;
  plant?: Plant | null;
  isTraced?: boolean;
}

/** Runs a plan. The same seed and plan give the same run. */
export async function run({
  seed,
  plan,
  template,
  plant = null,
  isTraced = false,
}: RunOptions): Promise<Run> {
  const universe = new Universe(seed);
  const server = new StoreServer(universe, template.database);
  const history = new History(universe, server, template);
  history.isTraced = isTraced;
  const network = new Network(universe, seededRandom(seed ^ 0x5bd1e995));
  const counters = new SharedCounters(universe, network);
  const log: Surroundings['log'] = (node, message, fields) =>
    history.isTraced && history.line(`${node} logs: ${message} ${JSON.stringify(fields)}`);
  const surroundings = { universe, network, server, counters, template, plant, log };
  const nodes = Array.from({ length: NODES }, (_, n) => new SimulatedNode(`node ${n}`, surroundings));
  const world: World = { universe, server, network, counters, history, nodes, template };
  server.onCommit = (isNumbered) => {
    history.committed(nodes);
    if (!isNumbered) return;
    for (const node of nodes) network.tell(node.host, node.storeLink, () => node.parts?.feed.wake());
  };
  for (const node of nodes) universe.schedule(node.host, 0, () => node.start());
  for (const step of plan) universe.schedule(universe.outside, step.at, () => perform(world, step));
  await runUniverse(universe, PLAN_ENDS_MS);
  universe.schedule(universe.outside, 0, () => heal(world));
  await runUniverse(universe, PLAN_ENDS_MS + RECOVERY_MS, settling(world));
  await finish(world);
  const { violations, tokens, lines } = history;
  return { violations, tokens, lines, events: universe.events, commits: server.history.length };
}

interface World {
  universe: Universe;
  server: StoreServer;
  network: Network;
  counters: SharedCounters;
  history: History;
  nodes: readonly SimulatedNode[];
  template: Template;
}

/** Ends all faults, apart from a sleep: the links work, and the clocks are right. */
function heal({ universe, server, nodes }: World): void {
  server.clockOffsetMs = 0;
  for (const { host, storeLink, limitsLink } of nodes) {
    host.dayOffsetMs = 0;
    storeLink.atCommit = null;
    for (const link of [storeLink, limitsLink]) {
      for (const until of ['cutUntil', 'slowUntil', 'deafUntil'] as const) {
        link[until] = Math.min(link[until], universe.now);
      }
    }
  }
}

/** Returns whether nothing of what the store has was missing anywhere for a while. */
function settling({ universe, history, nodes }: World): () => boolean {
  let lacksAt = universe.now;
  let looksAt = universe.now;
  return () => {
    if (universe.now < looksAt) return false;
    looksAt = universe.now + LOOK_MS;
    if (history.lacks(nodes).length > 0) lacksAt = universe.now;
    return universe.now - lacksAt >= SETTLED_MS;
  };
}

/** Checks that all nodes know what the store has, then stops them and checks what they counted. */
async function finish(world: World): Promise<void> {
  const { universe, nodes, history, template, server } = world;
  history.settled(nodes);
  for (const node of nodes) {
    for (const user of template.users.keys()) {
      if (user > 0) onNode(world, node, () => decide(world, node, user));
    }
  }
  await runUniverse(universe, universe.now + 100);
  let stopped = 0;
  for (const node of nodes)
    onNode(world, node, async () => {
      await node.parts?.stop();
      stopped += 1;
    });
  await runUniverse(universe, universe.now + STOP_MS, () => stopped === nodes.length);
  const [row] = server.read(
    "select coalesce(sum(tokens), 0) as n from usage_minutes where client_id = ''",
    [],
  ).rows;
  history.checkUsage((row as { n: number }).n, nodes);
}

async function decide(world: World, node: SimulatedNode, user: number): Promise<void> {
  world.history.decided(node, user, await requestToken(world, node, user));
}

/** Runs work on a node, as something that arrives there: a process that sleeps gets it later. */
function onNode({ universe, history }: World, node: SimulatedNode, work: () => Promise<unknown>): void {
  universe.schedule(node.host, 0, () => {
    work().catch((error: unknown) => {
      if (error instanceof StoreError || error instanceof AppError) {
        return history.line(`${node.host.name}: ${error.message}`);
      }
      throw error;
    });
  });
}

function perform(world: World, step: Step): void {
  const node = world.nodes[step.node] as SimulatedNode;
  if (world.history.isTraced) world.history.line(stepText(step));
  if (step.kind === 'call') callNode(world, node, step);
  else if (step.kind === 'change') onNode(world, node, () => change(world, node, step));
  else disturb(world, node, step);
}

function callNode(world: World, node: SimulatedNode, call: Call): void {
  if (call.does === 'assertion') return sendAssertion(world, node, call);
  if (call.does === 'read revocation list') return onNode(world, node, () => readList(world, node));
  if (call.does === 'revoke token') return onNode(world, node, () => revokeOwn(world, node, call.user));
  for (let n = 0; n < call.calls; n++) onNode(world, node, () => requestToken(world, node, call.user));
}

async function requestToken(
  { history, template }: World,
  node: SimulatedNode,
  user: number,
): Promise<Outcome> {
  const outcome = await node.requestToken(template.users[user] as Member);
  if (outcome === undefined) return outcome;
  if ('token' in outcome) history.issued(node, user, outcome.token);
  else history.refused(node, user, outcome);
  return outcome;
}

function sendAssertion(world: World, first: SimulatedNode, call: AssertionCall): void {
  const { universe, nodes, template } = world;
  const member = template.users[call.user] as Member;
  const assertion = signedAssertion(member.privateKey, {
    clientId: member.clientId,
    audience: template.config.issuer,
    refusedAt: STARTS_AT + universe.now + call.validMs,
    tokenId: `${universe.now} ${first.host.name}`,
  });
  for (let n = 0; n < call.sends; n++) {
    const node = nodes[(nodes.indexOf(first) + n * call.stride) % nodes.length] as SimulatedNode;
    universe.schedule(universe.outside, n * call.everyMs, () =>
      onNode(world, node, () => proveByAssertion(world, node, { user: call.user, assertion })),
    );
  }
}

async function proveByAssertion(
  { history, counters, template }: World,
  node: SimulatedNode,
  { user, assertion }: { user: number; assertion: Assertion },
): Promise<void> {
  const outcome = await node.requestToken(template.users[user] as Member, assertion);
  if (outcome === undefined) return;
  if (!('token' in outcome)) return history.refused(node, user, outcome);
  history.issued(node, user, outcome.token);
  const key = usedAssertionKey(assertion);
  history.proved(node, key, !counters.missed.has(key));
}

async function revokeOwn(world: World, node: SimulatedNode, user: number): Promise<void> {
  const { history, server, template } = world;
  const outcome = await requestToken(world, node, user);
  if (outcome === undefined || !('token' in outcome)) return;
  const { token } = outcome;
  const { losses } = server;
  if (!(await node.revokeToken(template.users[user] as Member, token))) return;
  // Also true if all tokens of the API user are revoked, or no verifier accepts the key of this one.
  const digests = [claimsOf(token).jti, claimsOf(token).sub].map(revocationDigest);
  const isIn = (commit: Commit) =>
    digests.some((digest) => commit.revocations.has(digest)) || isWithdrawn(commit, kidOf(token));
  // After a loss, a node may still know a revocation that the store has lost.
  if (history.isOfThisPast(node)) history.acknowledged('a revocation', losses, isIn);
}

/** As a verifier does. The server lets it wait while it catches up (http/public/revocations.ts). */
async function readList({ history }: World, node: SimulatedNode): Promise<void> {
  const { parts } = node;
  if (!node.ready || parts === undefined) return;
  await parts.catchingUp(Date.now());
  const publication = parts.publication();
  if (publication !== null) history.published(node, publication);
}

/** A change through this node. The admin API follows the feed before it answers. */
async function change(world: World, node: SimulatedNode, wanted: AdminChange): Promise<void> {
  const { history, server } = world;
  const { parts, store } = node;
  if (!node.ready || parts === undefined || store === undefined) return;
  const { losses } = server;
  const isIn = await applyChange(world, { store, maintenance: parts.maintenance }, wanted);
  await parts.feed.follow();
  history.acknowledged(wanted.does, losses, isIn);
}

/** Returns how to recognise a commit that has the change. */
async function applyChange(
  { template, server }: World,
  { store, maintenance }: { store: Store; maintenance: Maintenance },
  wanted: AdminChange,
): Promise<(commit: Commit) => boolean> {
  const by = { store, actor: SYSTEM, nowMs: Date.now() };
  if (wanted.does === 'prune changes') {
    const { epoch } = server.head;
    await store.write(({ changes }) => changes.deleteBefore(epoch - 1, 1000));
    return () => true;
  }
  if (wanted.does === 'maintain') {
    await maintenance.run();
    return () => true;
  }
  if (wanted.does === 'rotate') {
    const { config, masterKey } = template;
    const rotation = { algorithm: config.signingAlgorithm, schedule: config, mode: wanted.mode };
    const { kid } = await rotateSigningKey(by, masterKey, rotation);
    return (commit) => commit.keys.has(kid);
  }
  const { clientId } = template.users[wanted.user] as Member;
  if (wanted.does === 'revoke all') {
    const { revocation } = await revokeApiUserTokens(by, clientId);
    return (commit) => commit.revocations.has(revocation.digest);
  }
  const { version } = await updateApiUser(
    by,
    clientId,
    { enabled: wanted.does === 'enable' },
    { force: true },
  );
  return (commit) => commit.users.get(clientId)?.version === version;
}

function disturb({ universe, server, history, nodes }: World, node: SimulatedNode, fault: Fault): void {
  const { storeLink, limitsLink, host } = node;
  switch (fault.does) {
    case 'crash':
      return node.crash(fault.forMs);
    case 'stop':
    case 'suspend':
      if (host.asleepUntil > universe.now) return;
      host.asleepUntil = universe.now + fault.forMs;
      if (fault.does === 'suspend') host.suspendedMs += fault.forMs;
      return;
    case 'cut store':
      return endLater(universe, storeLink, 'cutUntil', fault.forMs);
    case 'lose answers':
      return endLater(universe, storeLink, 'deafUntil', fault.forMs);
    case 'slow store':
      storeLink.slowness = fault.times;
      return endLater(universe, storeLink, 'slowUntil', fault.forMs);
    case 'cut limits':
      return endLater(universe, limitsLink, 'cutUntil', fault.forMs);
    case 'stop limits':
      for (const each of nodes) endLater(universe, each.limitsLink, 'cutUntil', fault.forMs);
      return;
    case 'at next commit':
      storeLink.atCommit = fault.fault;
      return;
    case 'set clock':
      history.clockJumped(fault.byMs);
      host.dayOffsetMs += fault.byMs;
      return;
    case 'set clock of store':
      return server.setClock(fault.byMs);
    case 'fail over':
    case 'restore':
      server.lose(fault.commits);
      for (const each of nodes) each.storeLink.disturbedAt = universe.now;
  }
}

function endLater(
  universe: Universe,
  link: Link,
  end: 'cutUntil' | 'slowUntil' | 'deafUntil',
  forMs: number,
): void {
  link[end] = Math.max(link[end], universe.now + forMs);
  link.disturbedAt = Math.max(link.disturbedAt, link[end]);
}
