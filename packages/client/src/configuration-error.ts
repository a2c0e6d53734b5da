import { escaped } from './escape.ts';

/** An option is missing, unknown or wrong. No request was sent. */
export class ConfigurationError extends TypeError {
  readonly code = 'invalid_configuration';
  /** The option, parameter, environment variable or file at fault. */
  declare readonly option: string;

  constructor(option: string, problem: string) {
    super(escaped(`${option} ${problem}.`));
    this.option = option;
  }

  override get name(): string {
    return 'ConfigurationError';
  }
}
