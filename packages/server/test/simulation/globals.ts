// Replaces the clocks, timers and random numbers of this Node process, so that the product's modules run in
// a universe
// as they are. Import this module before any of them. Without a universe everything works as usual.
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import timersPromises from 'node:timers/promises';
import { keyPairOf, rememberedKey, simulatedSign, simulatedVerify } from './simulated-crypto.ts';
import type { Scheduled, Universe } from './universe.ts';

let universe: Universe | undefined;

const real = {
  setTimeout: globalThis.setTimeout,
  setInterval: globalThis.setInterval,
  setImmediate: globalThis.setImmediate,
  clearTimeout: globalThis.clearTimeout,
  clearInterval: globalThis.clearInterval,
  clearImmediate: globalThis.clearImmediate,
  now: Date.now,
  steady: performance.now.bind(performance),
  random: Math.random,
  sleep: timersPromises.setTimeout,
  randomFillSync: crypto.randomFillSync,
  randomBytes: crypto.randomBytes,
  randomUUID: crypto.randomUUID,
  generateKeyPairSync: crypto.generateKeyPairSync,
  createPrivateKey: crypto.createPrivateKey,
  sign: crypto.sign,
  verify: crypto.verify,
};

/** The real clock, for the speed of the simulator. */
export const realNow: () => number = real.steady;

type Work = (...args: unknown[]) => unknown;

class SimulatedTimer {
  scheduled: Scheduled | undefined;
  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }
  hasRef(): boolean {
    return true;
  }
  cancel(): void {
    if (this.scheduled !== undefined) this.scheduled.cancelled = true;
  }
}

function after(ms: number, work: Work, args: unknown[], repeats: boolean): SimulatedTimer {
  const timer = new SimulatedTimer();
  const within = universe as Universe;
  const host = within.current;
  const run = () => {
    if (repeats) timer.scheduled = within.schedule(host, ms, run);
    work(...args);
  };
  timer.scheduled = within.schedule(host, ms, run);
  return timer;
}

function cancelling(cancelReal: (timer: never) => void): (timer: unknown) => void {
  return (timer) => {
    if (timer instanceof SimulatedTimer) timer.cancel();
    else cancelReal(timer as never);
  };
}

const fakes = {
  setTimeout: (work: Work, ms = 1, ...args: unknown[]) =>
    universe === undefined ? real.setTimeout(work, ms, ...args) : after(Math.max(1, ms), work, args, false),
  setInterval: (work: Work, ms = 1, ...args: unknown[]) =>
    universe === undefined ? real.setInterval(work, ms, ...args) : after(Math.max(1, ms), work, args, true),
  setImmediate: (work: Work, ...args: unknown[]) =>
    universe === undefined ? real.setImmediate(work, ...args) : after(0, work, args, false),
  clearTimeout: cancelling(real.clearTimeout),
  clearInterval: cancelling(real.clearInterval),
  clearImmediate: cancelling(real.clearImmediate),
};

function seededBytes(length: number): Buffer {
  const { random } = universe as Universe;
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i++) bytes[i] = Math.floor(random() * 256);
  return bytes;
}

/** Pairs that stand for a missing key, one for each type: all runs may share them. */
const dummies = new Map<string, unknown>();

function seededKeyPair(type: string, ...options: unknown[]): unknown {
  if (universe !== undefined && type === 'ed25519') return keyPairOf(seededBytes(32));
  const generate = () => (real.generateKeyPairSync as Work)(type, ...options);
  if (universe === undefined) return generate();
  const name = JSON.stringify([type, options]);
  if (!dummies.has(name)) dummies.set(name, generate());
  return dummies.get(name);
}

function seededUuid(): string {
  const hex = seededBytes(16).toString('hex');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

/** Calls `simulated` while a universe runs, otherwise the function that it replaces. */
function inUniverse(simulated: unknown, replaced: unknown): Work {
  return (...args) => ((universe === undefined ? replaced : simulated) as Work)(...args);
}

Object.assign(globalThis, fakes);
Date.now = () => universe?.dayMs() ?? real.now();
performance.now = () => universe?.steadyMs() ?? real.steady();
Math.random = () => universe?.random() ?? real.random();
Object.assign(timersPromises, {
  setTimeout: (ms: number, value?: unknown, options?: object) =>
    universe === undefined
      ? real.sleep(ms, value, options)
      : new Promise((resolve) => after(ms, () => resolve(value), [], false)),
});
Object.assign(crypto, {
  randomFillSync: (buffer: Uint8Array) => {
    if (universe === undefined) return real.randomFillSync(buffer);
    buffer.set(seededBytes(buffer.length));
    return buffer;
  },
  randomBytes: (length: number) => (universe === undefined ? real.randomBytes(length) : seededBytes(length)),
  randomUUID: () => (universe === undefined ? real.randomUUID() : seededUuid()),
  generateKeyPairSync: seededKeyPair,
  createPrivateKey: inUniverse(rememberedKey, real.createPrivateKey),
  sign: inUniverse(simulatedSign, real.sign),
  verify: inUniverse(simulatedVerify, real.verify),
});
syncBuiltinESMExports();

/** Events in a turn of Node's event loop. A turn costs more than most events. */
const TURN_EVENTS = 200;

/** Runs some events; resolves to false if no more are due. */
async function runTurn(running: Universe, until: number, stop: () => boolean): Promise<boolean> {
  return await new Promise((resolve, reject) => {
    let isEnded = false;
    const next = () => {
      if (isEnded) return;
      try {
        isEnded = stop() || !running.step(until);
        if (isEnded) resolve(false);
      } catch (error) {
        isEnded = true;
        reject(error);
      }
    };
    // Node runs all promises that follow from an immediate before the next one.
    for (let n = 0; n < TURN_EVENTS; n++) real.setImmediate(next);
    real.setImmediate(() => resolve(!isEnded));
  });
}

/** Runs the events of a universe up to `until`, or until `stop` returns true. */
export async function runUniverse(
  running: Universe,
  until: number,
  stop: () => boolean = () => false,
): Promise<void> {
  if (universe !== undefined) throw new Error('one universe runs at a time');
  universe = running;
  try {
    while (await runTurn(running, until, stop));
  } finally {
    universe = undefined;
  }
}
