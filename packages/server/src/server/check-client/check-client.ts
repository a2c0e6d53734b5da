import { judgeLeaks, type Judgement } from './judgement.ts';
import type { Observation } from './observation.ts';
import { runScenario, type Subject } from './run-scenario.ts';
import { LEAKS_RULE, SCENARIOS, type Scenario } from './scenarios.ts';

export interface ClientCheck extends Judgement {
  name: string;
  rule: string;
  /** What the program printed last about an error, or at all, without secrets and tokens; may be empty. */
  lastLine: string;
}

/**
 * Runs a program once under each scenario, and judges how it gets and uses tokens. Throws an AppError if the
 * program cannot be started, and the reason of `subject.signal`.
 */
export async function checkClient(
  subject: Subject,
  scenarios: readonly Scenario[] = SCENARIOS,
  onStart: (scenario: Scenario) => void = () => {},
): Promise<ClientCheck[]> {
  const runs: { name: string; observation: Observation }[] = [];
  const checks: ClientCheck[] = [];
  for (const scenario of scenarios) {
    const { name, rule, judge } = scenario;
    onStart(scenario);
    const observation = await runScenario(scenario, subject);
    subject.signal.throwIfAborted();
    runs.push({ name, observation });
    checks.push({ name, rule, ...judge(observation), lastLine: observation.program.lastLine });
  }
  return [...checks, { name: 'leaks', rule: LEAKS_RULE, ...judgeLeaks(runs), lastLine: '' }];
}
