/** Prints a line if the check holds; throws if not. For scripts that a person watches. */
export function check(what: string, holds: boolean, detail = ''): void {
  if (!holds) throw new Error(`${what}: it does not hold. ${detail}`);
  console.log(`  holds: ${what}`);
}
