/**
 * Why a change to API users, credentials or keys is not made. Thrown, so that it takes its transaction back with it;
 * the message says what to do.
 */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly code: 'not_found' | 'conflict' | 'invalid' | 'unsafe';

  constructor(code: Refused['code'], message: string) {
    super(message);
    this.code = code;
  }
}
