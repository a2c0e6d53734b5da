import type { Host, Universe } from './universe.ts';

/** The path between a host and one of the services that it uses. */
export interface Link {
  /** Nothing passes before this time. */
  cutUntil: number;
  /** Messages take this many times as long before `slowUntil`. */
  slowUntil: number;
  slowness: number;
  /** Requests arrive before this time, but their answers are lost. */
  deafUntil: number;
  /** What happens at the next commit that the host sends. */
  atCommit: 'lose its answer' | 'crash before it' | 'crash after it' | null;
  /** The true time at which it last did anything but work. */
  disturbedAt: number;
}

export function createLink(): Link {
  return {
    cutUntil: 0,
    slowUntil: 0,
    slowness: 1,
    deafUntil: 0,
    atCommit: null,
    disturbedAt: Number.NEGATIVE_INFINITY,
  };
}

const MESSAGE_TAKES_MS = { from: 0.3, to: 3 };

/**
 * Random, but the same for the same seed: each message takes a little longer or shorter than the one
 * before.
 */
export class Network {
  readonly #universe: Universe;
  readonly #chance: () => number;

  constructor(universe: Universe, chance: () => number) {
    this.#universe = universe;
    this.#chance = chance;
  }

  /**
   * Sends a request from the host whose code runs now. `serve` runs at the service and calls `reply`.
   * Rejects if the
   * request or its answer is lost, or takes longer than `timeoutMs`. `gone` runs when the host ceases to
   * wait.
   */
  call<T>(host: Host, link: Link, { serve, timeoutMs, gone }: Call<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      let settled = false;
      const timeout = this.#universe.schedule(host, timeoutMs, () => {
        settled = true;
        gone?.();
        reject(new Error(`no answer within ${timeoutMs} ms`));
      });
      const reply = (answer: T | Error): void => {
        if (settled || this.#isLost(link, true)) return;
        this.#universe.schedule(host, this.#delay(link), () => {
          if (settled) return;
          settled = true;
          timeout.cancelled = true;
          if (answer instanceof Error) reject(answer);
          else resolve(answer);
        });
      };
      if (this.#isLost(link, false)) return;
      this.#universe.schedule(this.#universe.outside, this.#delay(link), () => {
        if (!this.#isLost(link, false)) serve(reply);
      });
    });
  }

  /** Sends a message to a host. It may arrive late, or not at all. */
  tell(host: Host, link: Link, arrive: () => void): void {
    if (this.#isLost(link, true) || this.#chance() < 0.1) return;
    this.#universe.schedule(host, this.#delay(link), arrive);
  }

  #isLost({ cutUntil, deafUntil }: Link, isAnswer: boolean): boolean {
    return this.#universe.now < cutUntil || (isAnswer && this.#universe.now < deafUntil);
  }

  #delay(link: Link): number {
    const slowness = this.#universe.now < link.slowUntil ? link.slowness : 1;
    const { from, to } = MESSAGE_TAKES_MS;
    return (from + (to - from) * this.#chance()) * slowness;
  }
}

interface Call<T> {
  serve(reply: (answer: T | Error) => void): void;
  timeoutMs: number;
  gone?: () => void;
}

/** Whether a link works now and did so since `since`. */
export function worksSince(link: Link, since: number): boolean {
  return link.disturbedAt < since;
}
