// npm run try-compose [-- --file more.yaml]: builds the image, starts deploy/compose.yaml as its head says,
// with its own project name and secrets, tests it from outside and removes everything. Needs a Docker engine,
// Compose, and the ports 8080 and 8081. Files named with --file are merged over compose.yaml, for engines
// that lack some of its features.
import { execFile, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs, promisify } from 'node:util';
import { check } from './holds.ts';

const FILE = new URL('../deploy/compose.yaml', import.meta.url).pathname;
const PROJECT = 'mintmark-try';
const PORTS = [8080, 8081];
const READY_MS = 120_000;
const LIMIT = 5;

interface MadeApiUser {
  client_id: string;
  client_secret: string;
}

/** Compose as Docker's plugin or as a separate program, which numbers copies only in compatibility mode. */
function composeProgram(): [string, ...string[]] {
  if (spawnSync('docker', ['compose', 'version']).status === 0) return ['docker', 'compose'];
  if (spawnSync('docker-compose', ['version']).status === 0) return ['docker-compose', '--compatibility'];
  throw new Error('This needs Docker with Compose: neither `docker compose` nor `docker-compose` is here.');
}

function composeIn(folder: string, files: readonly string[]) {
  const [program, ...first] = composeProgram();
  const key = join(folder, 'master.key');
  writeFileSync(key, randomBytes(32).toString('hex'), { mode: 0o444 });
  const own = join(folder, 'own.yaml');
  writeFileSync(
    own,
    JSON.stringify({ services: { mintmark: { init: true } }, secrets: { master_key: { file: key } } }),
  );
  const chosen = [FILE, own, ...files.map((file) => resolve(file))].flatMap((file) => ['--file', file]);
  const env = { ...process.env, MINTMARK_DATABASE_PASSWORD: randomBytes(24).toString('hex') };
  return async (...args: string[]): Promise<string> => {
    const words = [...first, '--project-name', PROJECT, ...chosen, ...args];
    const { stdout } = await promisify(execFile)(program, words, { env, maxBuffer: 2 ** 28 });
    return stdout;
  };
}

type Compose = ReturnType<typeof composeIn>;

async function limitsOf(port: number): Promise<string> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/readyz`);
    const said = (await response.json()) as { status: string; limits: string };
    return said.status === 'ready' ? said.limits : said.status;
  } catch (error) {
    return String(error);
  }
}

/** Waits until all servers are ready and report this kind of limits. */
async function limitsBecome(wanted: string): Promise<void> {
  const deadline = Date.now() + READY_MS;
  for (;;) {
    const limits = await Promise.all(PORTS.map(limitsOf));
    if (limits.every((one) => one === wanted)) return;
    if (Date.now() > deadline)
      throw new Error(`they were to be ready with limits ${wanted}: ${limits.join(', ')}`);
    await sleep(200);
  }
}

async function statusOf(port: number, { client_id, client_secret }: MadeApiUser): Promise<number> {
  const body = new URLSearchParams({ client_id, client_secret });
  return (await fetch(`http://127.0.0.1:${port}/marketing/oauth2/token`, { method: 'POST', body })).status;
}

async function apiUser(compose: Compose, limit: number): Promise<MadeApiUser> {
  const options = ['--name', 'Importer', '--limit', String(limit), '--json'];
  return JSON.parse(
    await compose('exec', '-T', 'mintmark', 'mintmark', 'api-user', 'create', ...options),
  ) as MadeApiUser;
}

async function tryOut(compose: Compose): Promise<void> {
  await limitsBecome('shared');
  check('both servers are ready, on one PostgreSQL and one Redis', true);

  const status = await compose('exec', '-T', 'mintmark', 'sh', '-c', 'cat /proc/$(pidof node)/status');
  check('they run as 1000:1000', /^Uid:\t1000\t1000\t1000\t1000$/m.test(status), status);
  const none = /^CapBnd:\t0+$/m.test(status) && /^NoNewPrivs:\t1$/m.test(status);
  check('they have no capability and cannot get one', none, status);
  const touched = await compose('exec', '-T', 'mintmark', 'sh', '-c', 'touch /app/x 2>&1 || true');
  check('their root cannot be written', touched.includes('Read-only file system'), touched);

  const link = await compose(
    'exec',
    '-T',
    'mintmark',
    'mintmark',
    'operator',
    'create',
    '--email',
    'you@example.com',
    '--role',
    'admin',
  );
  check('the first admin gets a link', link.includes('/console/welcome#'), link);

  const limited = await apiUser(compose, LIMIT);
  const answers: number[] = [];
  for (let i = 0; i < 2 * LIMIT; i++) answers.push(await statusOf(PORTS[i % 2] ?? 0, limited));
  const issued = answers.filter((answer) => answer === 200).length;
  check(
    `${LIMIT} tokens a minute are ${LIMIT} over both`,
    issued === LIMIT && answers.at(-1) === 429,
    answers.join(' '),
  );

  const user = await apiUser(compose, 1000);
  await compose('kill', 'redis');
  await limitsBecome('divided');
  for (const port of PORTS)
    check(`without Redis, ${port} issues tokens`, (await statusOf(port, user)) === 200);
  await compose('up', '--detach', 'redis');
  await limitsBecome('shared');
  check('with Redis again, limits are shared again', true);

  await compose('restart', 'mintmark');
  await limitsBecome('shared');
  for (const port of PORTS)
    check(`started again, ${port} issues tokens`, (await statusOf(port, user)) === 200);

  await compose('stop');
  const ids = docker('ps', '--all', '--quiet', '--filter', `label=com.docker.compose.project=${PROJECT}`);
  const codes = docker('inspect', '--format', '{{.Name}} {{.State.ExitCode}}', ...ids.trim().split('\n'));
  check(
    'all of them end by themselves, with 0',
    codes
      .trim()
      .split('\n')
      .every((line) => line.endsWith(' 0')),
    codes,
  );
}

function docker(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync('docker', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`docker ${args.join(' ')}: ${stderr}`);
  return stdout;
}

async function main(files: readonly string[]): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'mintmark-compose-'));
  try {
    const compose = composeIn(folder, files);
    console.log('building the image, and starting PostgreSQL, Redis and two servers …');
    try {
      await compose('up', '--build', '--detach');
      await tryOut(compose).catch(async (error: unknown) => {
        console.error(await compose('logs', '--tail', '20'));
        throw error;
      });
    } finally {
      await compose('down', '--volumes');
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const { values } = parseArgs({ options: { file: { type: 'string', multiple: true, default: [] } } });
await main(values.file).catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
