/** A secret in the configuration: wherever it is printed, logged or turned into JSON, it shows nothing of it. */
export class Redacted {
  readonly #secret: string;

  constructor(secret: string) {
    this.#secret = secret;
  }

  reveal(): string {
    return this.#secret;
  }

  toString(): string {
    return '[redacted]';
  }

  toJSON(): string {
    return '[redacted]';
  }
}
