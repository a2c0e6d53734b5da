import type { Config } from '../../config/config.ts';

/** Checks of assertions that wait for a turn of the event loop. */
export interface AssertionQueue {
  /** Runs the check now or in a later turn. False: too many wait, and this one does not run. */
  add(check: () => void): boolean;
}

/**
 * An assertion costs several times what a secret costs, and anyone can send bad ones. So in each turn of the
 * event loop, checks of assertions get `assertionTurnMs`, or as much time as everything else took in the turn
 * before. The other checks wait for later turns. So a flood of assertions at most doubles the time that
 * callers with secrets wait. At least one check runs in each turn.
 */
export function createAssertionQueue({
  assertionTurnMs,
  assertionsWaitingMax,
}: Pick<Config, 'assertionTurnMs' | 'assertionsWaitingMax'>): AssertionQueue {
  let waiting: (() => void)[] = [];
  let beganAt = 0;
  let budgetMs = assertionTurnMs;
  let spentMs = 0;
  let turnEnds = false;

  function run(check: () => void): void {
    const startedAt = performance.now();
    check();
    spentMs += performance.now() - startedAt;
  }

  /** While checks wait, the event loop does not sleep, so a turn takes as long as its work. */
  function endTurn(): void {
    const nowMs = performance.now();
    budgetMs = waiting.length === 0 ? assertionTurnMs : Math.max(assertionTurnMs, nowMs - beganAt - spentMs);
    [beganAt, spentMs] = [nowMs, 0];
    let count = 0;
    while (count < waiting.length && spentMs < budgetMs) run(waiting[count++] as () => void);
    waiting = waiting.slice(count);
    turnEnds = count > 0;
    if (turnEnds) setImmediate(endTurn);
  }

  return {
    add(check) {
      if (waiting.length >= assertionsWaitingMax) return false;
      if (!turnEnds) {
        turnEnds = true;
        beganAt = performance.now();
        setImmediate(endTurn);
      }
      if (waiting.length === 0 && spentMs < budgetMs) run(check);
      else waiting.push(check);
      return true;
    },
  };
}
