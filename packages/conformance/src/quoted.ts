/** A value as a report shows it. */
export function quoted(value: unknown): string {
  return value === undefined ? 'missing' : JSON.stringify(value);
}

/** `A, B or C` */
export function anyOf(values: readonly (string | number)[]): string {
  return values.length < 2 ? values.join('') : `${values.slice(0, -1).join(', ')} or ${values.at(-1)}`;
}
