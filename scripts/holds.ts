/** One line for what holds; throws where it does not. For scripts that try something out before a person's eyes. */
export function check(what: string, holds: boolean, detail = ''): void {
  if (!holds) throw new Error(`${what}: it does not hold. ${detail}`);
  console.log(`  holds: ${what}`);
}
