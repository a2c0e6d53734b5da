import { INVARIANTS, type Invariant, type Violation } from './invariants.ts';
import { worksSince } from './network.ts';
import type { SimulatedNode } from './node.ts';
import type { Commit, StoreServer } from './store-server.ts';
import { LIMIT, NODES, type Template } from './template.ts';
import { STARTS_AT, type Host, type Universe } from './universe.ts';
import { CLOCK_FAR_MS } from '../../src/runtime/clock-watch.ts';
import type { RevocationPublication } from '../../src/runtime/revocations/signed-list.ts';
import type { Denial } from '../../src/domain/denial.ts';
import { UNIT_MS } from '../../src/domain/usage.ts';

/** A change reaches every process in reach of the store within a second; the rest is time on the wire. */
const FOLLOWED_MS = 1000 + 150;
/** After a fault of its link, a process may still wait for a statement, and then polls again. */
const RECOVERS_MS = 2500;
const MINUTE_MS: number = UNIT_MS.minute;

/** A use of an assertion that a node accepted. */
interface Proof {
  host: Host;
  life: number;
  offsetMs: number;
}

export type Outcome = Awaited<ReturnType<SimulatedNode['requestToken']>>;

/** What happened in a run, and what must not have happened. */
export class History {
  readonly violations: Violation[] = [];
  readonly lines: string[] = [];
  tokens = 0;
  refusals = 0;
  readonly #limited: number[] = [];
  /** Which lives of nodes issued a token for each assertion. */
  readonly #proofs = new Map<string, Proof[]>();
  /** When each commit was acknowledged. */
  readonly #acknowledged = new Map<number, number>();
  #jumpMs = 0;
  readonly #universe: Universe;
  readonly #server: StoreServer;
  readonly #template: Template;
  isTraced = false;

  constructor(universe: Universe, server: StoreServer, template: Template) {
    this.#universe = universe;
    this.#server = server;
    this.#template = template;
  }

  line(text: string): void {
    if (this.isTraced) this.lines.push(`${this.#universe.now.toFixed(1).padStart(9)} ms  ${text}`);
  }

  violate(invariant: Invariant, detail: string): void {
    this.line(`VIOLATION ${invariant}: ${detail}`);
    this.violations.push({ invariant, at: this.#universe.now, detail });
  }

  clockJumped(byMs: number): void {
    this.#jumpMs += Math.min(Math.abs(byMs), 2 * MINUTE_MS);
  }

  /** A node answered that a change is made. `isIn` recognises a commit that has it. */
  acknowledged(what: string, losses: number, isIn: (commit: Commit) => boolean): void {
    this.line(`acknowledged: ${what}`);
    if (losses !== this.#server.losses) return; // commits were lost since the change began
    const commit = this.#server.history.find(isIn);
    if (commit === undefined) this.violate('lost', `${what} was acknowledged, and is not in the store`);
    else if (!this.#acknowledged.has(commit.id)) this.#acknowledged.set(commit.id, this.#universe.now);
  }

  /** Whether the node cannot know anything that the store has lost since. */
  isOfThisPast(node: SimulatedNode): boolean {
    return node.lossesAtStart === this.#server.losses;
  }

  /** A node issued this token. */
  issued(node: SimulatedNode, user: number, token: string): void {
    this.tokens += 1;
    if (user === 0) this.#limited.push(this.#universe.now);
    const clientId = this.#template.users[user]?.clientId ?? '';
    const kid = kidOf(token);
    this.line(`${node.host.name} issued a token to user ${user}, applied ${node.parts?.feed.applied()}`);
    const disabled = this.#since((commit) => commit.users.get(clientId)?.enabled === false);
    if (disabled !== null) this.#checkOutdated(node, disabled, 'disabled', `user ${user} is disabled`);
    const withdrawn = this.#since((commit) => isWithdrawn(commit, kid));
    if (withdrawn !== null) this.#checkOutdated(node, withdrawn, 'withdrawn', `key ${kid} is withdrawn`);
  }

  /**
   * A node issued a token for an assertion. While Redis is away, or a clock is so wrong that its process will
   * soon issue nothing, each node knows its own uses only.
   */
  proved(node: SimulatedNode, key: string, isShared: boolean): void {
    const before = this.#proofs.get(key) ?? [];
    const own = before.some(({ host, life }) => host === node.host && life === node.host.life);
    const proof = { host: node.host, life: node.host.life, offsetMs: node.host.dayOffsetMs };
    const proofs = [...before, proof];
    const areClocksClose = proofs.every(({ offsetMs }) => Math.abs(offsetMs) <= CLOCK_FAR_MS);
    if (own || (before.length > 0 && isShared && areClocksClose))
      this.violate('reused', `${node.host.name} accepts ${key}, as ${before[0]?.host.name} did`);
    this.#proofs.set(key, proofs);
  }

  /** Maintenance may only remove revocations that have ended by the store's clock and by that of a node. */
  committed(nodes: readonly SimulatedNode[]): void {
    const [before, after] = this.#server.history.slice(-2) as [Commit, Commit];
    const nodeAheadMs = Math.max(...nodes.map(({ host }) => host.dayOffsetMs));
    const endedBy = STARTS_AT + after.at + bothAheadMs(nodeAheadMs, this.#server.clockOffsetMs);
    for (const [digest, removesAt] of before.revocations)
      if (!after.revocations.has(digest) && removesAt > endedBy)
        this.violate('kept', `${digest} was removed ${ms(removesAt - STARTS_AT - after.at)} early`);
  }

  /** The oldest commit since which all commits satisfy this; null if the newest does not. */
  #since(holds: (commit: Commit) => boolean): Commit | null {
    let first: Commit | null = null;
    for (let i = this.#server.history.length - 1; i >= 0; i--) {
      const commit = this.#server.history[i] as Commit;
      if (!holds(commit)) break;
      first = commit;
    }
    return first;
  }

  #checkOutdated(node: SimulatedNode, since: Commit, invariant: Invariant, what: string): void {
    const { now } = this.#universe;
    const applied = node.parts?.feed.applied() ?? 0;
    if (applied >= since.epoch && this.isOfThisPast(node)) {
      this.violate('prefix', `${node.host.name} applied ${applied}, but not ${since.epoch}: ${what}`);
    }
    const ackedAt = Math.max(this.#acknowledged.get(since.id) ?? now, this.#server.lostAt);
    const behindMs = now - ackedAt;
    const { staleMaxSeconds } = this.#template.config;
    if (behindMs > staleMaxSeconds * 1000 + FOLLOWED_MS) {
      this.violate('stale', `${node.host.name} is ${ms(behindMs)} behind: ${what}`);
    }
    if (behindMs > FOLLOWED_MS && this.#isInReach(node, ackedAt)) {
      this.violate(invariant, `${node.host.name} is ${ms(behindMs)} behind: ${what}`);
    }
  }

  /**
   * Whether the node could follow the store all the time since then. A node that slept catches up at once.
   */
  #isInReach(node: SimulatedNode, since: number): boolean {
    return worksSince(node.storeLink, since - RECOVERS_MS) && node.readyAt <= since;
  }

  /** A verifier read the revocation list of a node. */
  published(node: SimulatedNode, { list, statement }: RevocationPublication): void {
    const { iat, n } = partOf(statement, 1);
    const claimsAt = iat * 1000 - STARTS_AT - node.host.dayOffsetMs;
    const isSamePast = this.isOfThisPast(node);
    this.line(`${node.host.name} published a list of ${n}, complete at ${claimsAt.toFixed(0)} ms`);
    // A node that is cut off knows only how far the store's clock was ahead before.
    const aheadMs = bothAheadMs(node.host.dayOffsetMs, this.#server.mostAheadMs);
    const endedBy = STARTS_AT + (aheadMs > 0 ? this.#universe.now + aheadMs : 0);
    for (const [digest, removesAt] of this.#server.head.revocations) {
      if (removesAt <= endedBy) continue; // as in `#lacks`
      const commit = this.#since(({ revocations }) => revocations.has(digest));
      if (commit === null || list.body.includes(Buffer.from(digest, 'hex'))) continue;
      const ackedAt = Math.max(
        this.#acknowledged.get(commit.id) ?? Number.POSITIVE_INFINITY,
        this.#server.lostAt + FOLLOWED_MS,
      );
      if (isSamePast && commit.epoch <= n)
        this.violate(
          'revoked',
          `${node.host.name} claims change ${n}, its list lacks ${digest} of ${commit.epoch}`,
        );
      else if (claimsAt >= ackedAt)
        this.violate(
          'revoked',
          `${node.host.name} claims to be complete at ${ms(claimsAt)}, its list lacks ${digest}`,
        );
    }
  }

  /** What each node lacks of what the store has. */
  lacks(nodes: readonly SimulatedNode[]): string[] {
    return nodes.flatMap((node) => this.#lacks(node));
  }

  /** After the last step, all links work, all clocks are right, and all nodes had time to recover. */
  settled(nodes: readonly SimulatedNode[]): void {
    for (const lack of this.lacks(nodes)) this.violate('converges', lack);
    this.#checkLimit(nodes);
  }

  #lacks({ host, parts, ready }: SimulatedNode): string[] {
    const { name } = host;
    const { head } = this.#server;
    if (host.asleepUntil > this.#universe.now) return [`${name} sleeps`];
    if (!ready || parts === undefined) return [`${name} did not start`];
    const lacks: string[] = [];
    const applied = parts.feed.applied();
    if (applied !== head.epoch) lacks.push(`${name} applied ${applied} of ${head.epoch}`);
    if (!parts.directory.status().complete) lacks.push(`${name} has not all API users in memory`);
    if (parts.limits.health() !== 'shared') lacks.push(`${name} does not share limits`);
    const list = parts.revocations.published(STARTS_AT).body;
    // A node whose clock was behind issues tokens that ended long ago by all other clocks. Their revocations
    // have ended, too.
    for (const [digest, removesAt] of head.revocations)
      if (removesAt > STARTS_AT && !list.includes(Buffer.from(digest, 'hex')))
        lacks.push(`${name}: its list lacks ${digest}`);
    return lacks;
  }

  refused(node: SimulatedNode, user: number, denial: Denial): void {
    this.refusals += 1;
    this.line(`${node.host.name} refused user ${user}: ${denial.denied}`);
  }

  /** The last requests of a run: whether each node decides as the store says. */
  decided(node: SimulatedNode, user: number, outcome: Outcome): void {
    const { clientId } = this.#template.users[user] as { clientId: string };
    const isEnabled = this.#server.head.users.get(clientId)?.enabled === true;
    const isIssued = outcome !== undefined && 'token' in outcome;
    // A limit may still refuse: a clock that was ahead counted calls of the future.
    const isLimited =
      outcome !== undefined && !isIssued && 'denied' in outcome && outcome.denied === 'rate_limit_exceeded';
    if (isEnabled === isIssued || isLimited) return;
    this.violate('converges', `${node.host.name} ${isIssued ? 'issues' : 'refuses'}, user ${user}`);
  }

  #checkLimit(nodes: readonly SimulatedNode[]): void {
    const crashes = crashesOf(nodes);
    const alone = nodes.reduce((sum, { parts }) => sum + (parts?.limits.decidedAlone() ?? 0), 0);
    const share = Math.max(1, Math.floor(LIMIT / NODES));
    // When sharing ends, one more burst may pass, and a share for each node that forgets
    // (docs/decisions/090).
    const burst = alone + crashes === 0 ? 0 : LIMIT;
    const extra = burst + share * crashes + (LIMIT * this.#jumpMs) / MINUTE_MS;
    for (const [i, from] of this.#limited.entries()) {
      const to = this.#limited.at(-1) as number;
      const passed = this.#limited.length - i;
      const bound = LIMIT + (LIMIT * (to - from)) / MINUTE_MS + extra + 1;
      if (passed > bound) {
        this.violate('limit', `${passed} calls in ${ms(to - from)}, the bound is ${bound.toFixed(1)}`);
        return;
      }
    }
  }

  /** Compares the usage in the store with the tokens that were issued. All nodes have stopped. */
  checkUsage(counted: number, nodes: readonly SimulatedNode[]): void {
    const isExact = crashesOf(nodes) === 0 && this.#server.losses === 0;
    if (counted > this.tokens || (isExact && counted < this.tokens))
      this.violate('usage', `${this.tokens} tokens were issued, the store counts ${counted}`);
  }
}

/** If both clocks that decide are ahead, nothing can tell that a revocation has not ended. */
function bothAheadMs(ofNodeMs: number, ofStoreMs: number): number {
  return Math.max(0, Math.min(ofNodeMs, ofStoreMs));
}

function crashesOf(nodes: readonly SimulatedNode[]): number {
  return nodes.reduce((sum, { crashes }) => sum + crashes, 0);
}

/** A key that a rotation after a leak removed. This holds at once, whatever the clocks say. */
export function isWithdrawn(commit: Commit, kid: string): boolean {
  return commit.keys.get(kid)?.isWithdrawn === true;
}

function ms(value: number): string {
  return `${value.toFixed(0)} ms`;
}

export function violationText({ invariant, at, detail }: Violation): string {
  return `${INVARIANTS[invariant]}: at ${ms(at)}, ${detail}`;
}

export function claimsOf(token: string): { jti: string; sub: string } {
  return partOf(token, 1);
}

export function kidOf(token: string): string {
  return partOf(token, 0).kid;
}

interface JwsPart {
  kid: string;
  jti: string;
  sub: string;
  iat: number;
  n: number;
}

function partOf(jws: string, part: 0 | 1): JwsPart {
  return JSON.parse(Buffer.from(jws.split('.')[part] ?? '', 'base64url').toString()) as JwsPart;
}
