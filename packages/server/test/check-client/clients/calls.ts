// What the programs in JavaScript share: the calls that the check asks for.

/** A variable of the environment. */
export function variable(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: run this program by mintmark check-client.`);
  return value;
}

/** Calls the API as often as the check asks for, with as many calls at a time. Throws after a failed call. */
export async function makeCalls(call: (url: string) => Promise<Response>): Promise<void> {
  const url = variable('MINTMARK_API_URL');
  let left = Number(variable('MINTMARK_CALLS'));
  async function callRepeatedly(): Promise<void> {
    while (left-- > 0) {
      const response = await call(url);
      if (!response.ok) throw new Error(`The API answered ${response.status}.`);
      await response.text();
    }
  }
  await Promise.all(Array.from({ length: Number(variable('MINTMARK_PARALLEL')) }, callRepeatedly));
}
