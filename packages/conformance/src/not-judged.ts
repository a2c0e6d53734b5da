/** Thrown by a check that cannot judge the server. */
export class NotJudged extends Error {
  readonly outcome: 'not applicable' | 'needs';
  constructor(outcome: 'not applicable' | 'needs', message: string) {
    super(message);
    this.outcome = outcome;
  }
}

export function notApplicable(reason: string): never {
  throw new NotJudged('not applicable', reason);
}

export function needs(requirement: string): never {
  throw new NotJudged('needs', requirement);
}
