import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { keepAlive, type KeepAlive, type PostedTo } from './keep-alive.ts';
import { median, rankDifference, shuffled } from './ranks.ts';

// How differences are found. One connection sends one request of each class per round, in random order, so
// that other load affects all classes alike. Each pair of classes is compared by the ranks of its times
// (Mann–Whitney). With ten pairs and |z| > 4 an experiment raises a false alarm with a probability below 10 ×
// 6.4e-5 = 0.00064. It is repeated at most twice, so a test fails by chance about once in 3.8e9 runs. A real
// difference fails all three, as the controls show.
const Z_MAX = 4;
/**
 * Loopback shows differences that networks hide, such as a new key in a map against an existing one. They are
 * longer on a slower machine: this part of the time counts, within these bounds.
 */
const PART_MAX = 0.015;
const [MICROS_MAX_LEAST, MICROS_MAX_MOST] = [3, 6];
const ATTEMPTS = 3;

/** A request body for each class; every call returns a new one. */
export type Classes = Record<string, () => string>;
type Times = Record<string, number[]>;

async function timesOf(
  connection: KeepAlive,
  classes: Classes,
  rounds: number,
  refusedWith: number,
): Promise<Times> {
  const times: Times = Object.fromEntries(Object.keys(classes).map((name) => [name, []]));
  const warmUp = Math.ceil(rounds / 10);
  // Built before the first request, because work just before a request would be measured with it.
  const requests = Array.from({ length: warmUp + rounds }, (_, round) =>
    shuffled(Object.keys(classes)).map((name) => ({ name, body: classes[name]!(), counts: round >= warmUp })),
  ).flat();
  for (const { name, body, counts } of requests) {
    const { status, micros } = await connection.post(body);
    assert.equal(status, refusedWith, name);
    if (counts) times[name]!.push(micros);
  }
  return times;
}

/** The pairs that differ by more than chance. */
function differences(times: Times): string[] {
  const names = Object.keys(times);
  return names.flatMap((a, i) =>
    names.slice(i + 1).flatMap((b) => {
      const z = rankDifference(times[a]!, times[b]!);
      const [left, right] = [median(times[a]!), median(times[b]!)];
      const part = PART_MAX * Math.min(left, right);
      const microsMax = Math.min(MICROS_MAX_MOST, Math.max(MICROS_MAX_LEAST, part));
      if (Math.abs(z) <= Z_MAX || Math.abs(left - right) <= microsMax) return [];
      return [`${a} (median ${left.toFixed(1)} µs) and ${b} (${right.toFixed(1)} µs): z = ${z.toFixed(1)}`];
    }),
  );
}

/** The last experiment's differences, if every experiment had some. */
export async function differencesFoundEachTime(
  port: number,
  classes: Classes,
  rounds: number,
  to?: PostedTo,
  refusedWith = 403,
): Promise<string[]> {
  let found: string[] = [];
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const connection = await keepAlive(port, to);
    found = differences(await timesOf(connection, classes, rounds, refusedWith));
    connection.close();
    if (found.length === 0) return [];
  }
  return found;
}

/** The differences of one experiment. For a control whose requests are so late that three would take half a minute. */
export async function differencesFoundOnce(
  port: number,
  classes: Classes,
  rounds: number,
): Promise<string[]> {
  const connection = await keepAlive(port);
  const found = differences(await timesOf(connection, classes, rounds, 403));
  connection.close();
  return found;
}

/** A proxy that delays requests selected by `holds`. */
export async function proxyThatIsSlowFor(
  serverPort: number,
  micros: number,
  holds: (request: string) => boolean,
): Promise<{ port: number; close(): void }> {
  const proxy = createServer({ noDelay: true }, (socket) => {
    const upstream = connect({ port: serverPort, host: '127.0.0.1', noDelay: true });
    upstream.pipe(socket);
    socket.on('data', (chunk: Buffer) => {
      const until = process.hrtime.bigint() + BigInt(micros * 1000);
      if (holds(chunk.toString('latin1'))) while (process.hrtime.bigint() < until);
      upstream.write(chunk);
    });
    socket.on('close', () => upstream.destroy());
    socket.on('error', () => upstream.destroy());
    upstream.on('error', () => socket.destroy());
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  return { port: (proxy.address() as AddressInfo).port, close: () => proxy.close() };
}
