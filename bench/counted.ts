// Instructions and bytes of a token, counted and not timed: a server under valgrind answers on all connections.
// It is so much slower than its client that each turn of its event loop has a request of each connection. It
// needs valgrind and faketime.
import { execFile, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { faketimeLibrary } from '@mintmark/test-support/faketime';
import { CONNECTIONS, ready } from './peer.ts';
import { quantile } from './ratios.ts';

/**
 * V8 compiles and collects garbage on the main thread, after a number of calls or bytes and never because
 * time has passed.
 */
const V8_FLAGS = [
  '--single-threaded',
  '--predictable-gc-schedule',
  '--random-seed=1',
  '--hash-seed=1',
  '--expose-gc',
];
/** The clock is as slow as the server: so timers expire about as often for each token as without valgrind. */
const CLOCK_RATE = 0.01;
/** Until V8 has compiled everything that it compiles. */
const WARM_UP = 1000;
const WINDOWS = 10;
const WINDOW = 30;

/** What one token costs the main thread of a server. */
export interface Count {
  /** A median over windows, without the kernel. */
  instructions: number;
  /** Bytes of the JavaScript heap that were allocated, on average. */
  bytes: number;
}

export interface CountedProgram {
  /** Options of Node, a script, and its arguments. */
  args: string[];
  env: Record<string, string>;
  /** The line that it prints when it is ready. */
  readyLine: string;
  port: number;
  request: Buffer;
}

export async function countToken(program: CountedProgram): Promise<Count> {
  const folder = mkdtempSync(join(tmpdir(), 'mintmark-counted-'));
  const child = startUnderValgrind(program, join(folder, 'counts'));
  const sockets: Socket[] = [];
  /** Each connection asks for so many, one after the other. */
  const tokens = async (count: number): Promise<void> => {
    const asking = sockets.map(async (socket) => {
      for (let i = 0; i < count; i++) await token(socket, program.request);
    });
    await Promise.all(asking);
  };
  try {
    await ready(child, program.readyLine);
    for (let i = 0; i < CONNECTIONS; i++) sockets.push(await connection(program.port));
    await tokens(WARM_UP);
    await control(child, '-i', 'on');
    await tokens(1);
    const instructions: number[] = [];
    const before = await allocatedBytes(child);
    for (let window = 1; window <= WINDOWS; window++) {
      await control(child, '-z');
      await tokens(WINDOW);
      await control(child, '-d');
      instructions.push(mainThread(join(folder, `counts.${window}-01`)) / (WINDOW * CONNECTIONS));
    }
    const bytes = (await allocatedBytes(child)) - before;
    return {
      instructions: quantile(instructions, 0.5),
      bytes: bytes / (WINDOWS * WINDOW * CONNECTIONS),
    };
  } finally {
    for (const socket of sockets) socket.on('error', () => undefined).destroy();
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}

function startUnderValgrind({ args, env }: CountedProgram, file: string): ChildProcess {
  const library = faketimeLibrary();
  if (library === null || spawnSync('valgrind', ['--version']).status !== 0)
    throw new Error('valgrind or faketime is missing: apt-get install valgrind faketime');
  const callgrind = ['--tool=callgrind', '--instr-atstart=no', '--separate-threads=yes', '--quiet'];
  const counter = ['--import', fileURLToPath(new URL('allocated-bytes.ts', import.meta.url))];
  const child = spawn(
    'valgrind',
    [...callgrind, `--callgrind-out-file=${file}`, process.execPath, ...V8_FLAGS, ...counter, ...args],
    {
      env: { ...process.env, ...env, LD_PRELOAD: library, FAKETIME: `+0 x${CLOCK_RATE}` },
      stdio: ['pipe', 'pipe', 'pipe'],
    },
  );
  child.stderr.resume();
  return child;
}

async function control({ pid }: ChildProcess, ...args: string[]): Promise<void> {
  await promisify(execFile)('callgrind_control', [...args, String(pid)]);
}

function mainThread(file: string): number {
  return Number(/^summary: (\d+)/m.exec(readFileSync(file, 'utf8'))?.[1]);
}

/** See allocated-bytes.ts. */
async function allocatedBytes(child: ChildProcess): Promise<number> {
  child.kill('SIGUSR2');
  for await (const line of createInterface({ input: child.stderr! })) {
    const bytes = /^allocated bytes: (\d+)$/.exec(line)?.[1];
    if (bytes !== undefined) return Number(bytes);
  }
  throw new Error('The server ended.');
}

async function connection(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  return socket.setNoDelay(true).setEncoding('latin1');
}

function token(socket: Socket, request: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    let received = '';
    socket.on('data', function read(text: string) {
      received += text;
      const end = received.indexOf('\r\n\r\n');
      const length = Number(/content-length: (\d+)/i.exec(received)?.[1]);
      if (end < 0 || received.length < end + 4 + length) return;
      socket.off('data', read);
      if (received.includes('"access_token"')) resolve();
      else reject(new Error(`No token: ${received}`));
    });
    socket.write(request);
  });
}
