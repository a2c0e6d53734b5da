// npm run try-image: executes the steps of deploy/Dockerfile without Docker and starts the result. For Linux,
// as root.
// Each stage is a folder with Debian (debootstrap) and the base image's Node and npm; RUN runs in it by
// chroot, COPY copies into it (the context after Dockerfile.dockerignore). The result is mounted read-only in
// its own mount, PID and IPC namespaces. Its ENTRYPOINT and CMD run as its USER, without capabilities, and
// can write only to its VOLUME. Then follow its HEALTHCHECK, a token, a command and a stop. The end prints
// the differences from Docker.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { freePort } from '@mintmark/test-support/free-port';
import { DOCKERFILE, environmentOf, lastOf, readDockerfile, wordsOf, type Stage } from './dockerfile.ts';
import { check } from './holds.ts';

const ROOT = new URL('..', import.meta.url).pathname;
const CACHE = join(ROOT, 'node_modules/.cache/mintmark-image');
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const READY_MS = 30_000;

function run(command: string, args: string[], cwd: string = ROOT): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  if (status !== 0)
    throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? `${stdout}\n${stderr}`}`);
  return stdout;
}

/** The base image: Debian, Node at the image's path, npm, and the user node. Built once. */
function baseImage(): string {
  const base = join(CACHE, 'base');
  if (existsSync(base)) return base;
  console.log('the base: debootstrap (a minute; kept in node_modules/.cache) …');
  rmSync(`${base}.part`, { recursive: true, force: true });
  mkdirSync(CACHE, { recursive: true });
  // Libraries that Node's binary links to, so the base image has them.
  run('debootstrap', ['--variant=minbase', '--include=libatomic1,libstdc++6', 'bookworm', `${base}.part`]);
  const local = join(`${base}.part`, 'usr/local');
  cpSync(process.execPath, join(local, 'bin/node'));
  const npm = join(dirname(realpathSync(run('which', ['npm']).trim())), '..');
  cpSync(npm, join(local, 'lib/node_modules/npm'), { recursive: true });
  for (const name of ['npm', 'npx'])
    run('ln', ['-s', `../lib/node_modules/npm/bin/${name}-cli.js`, join(local, 'bin', name)]);
  run('chroot', [`${base}.part`, '/usr/sbin/useradd', '--uid', '1000', '--create-home', 'node']);
  renameSync(`${base}.part`, base);
  return base;
}

/** The files that `docker build` would send, tracked or new. */
function contextFiles(): string[] {
  const ignore = readFileSync(`${DOCKERFILE.pathname}.dockerignore`, 'utf8').split('\n');
  const rules = ignore.filter((line) => line !== '' && !line.startsWith('#'));
  const listed = run('git', ['ls-files', '--cached', '--others', '--exclude-standard']).split('\n');
  return listed.filter((file) => file !== '' && existsSync(join(ROOT, file)) && !isIgnored(file, rules));
}

function isIgnored(file: string, rules: readonly string[]): boolean {
  let ignored = false;
  for (const rule of rules) {
    const pattern = rule.replace(/^!/, '');
    const parts = file.split('/');
    const hit =
      pattern === '*' ||
      (pattern.startsWith('**/')
        ? parts.includes(pattern.slice(3))
        : file === pattern || file.startsWith(`${pattern}/`));
    if (hit) ignored = !rule.startsWith('!');
  }
  return ignored;
}

function build(stages: readonly Stage[], folder: string): string {
  const made = new Map<string, string>();
  let root = '';
  for (const [i, stage] of stages.entries()) {
    root = join(folder, stage.name || `stage-${i}`);
    run('cp', ['-a', '--reflink=auto', baseImage(), root]);
    let cwd = '/';
    for (const { name, text } of stage.instructions) {
      if (['RUN', 'COPY', 'WORKDIR'].includes(name)) console.log(`${stage.name || 'image'}: ${name} ${text}`);
      if (name === 'WORKDIR') mkdirSync(join(root, (cwd = resolve(cwd, text))), { recursive: true });
      if (name === 'COPY') copy(text, root, cwd, made);
      if (name === 'RUN') runIn(root, cwd, text);
    }
    made.set(stage.name, root);
  }
  return root;
}

function copy(text: string, root: string, cwd: string, made: ReadonlyMap<string, string>): void {
  const [, from = '', source = '', target = ''] = /^(?:--from=(\S+) )?(\S+) (\S+)$/.exec(text) ?? [];
  const to = join(root, resolve(cwd, target));
  if (from !== '') {
    mkdirSync(dirname(to), { recursive: true });
    return void run('cp', ['-a', join(made.get(from) ?? '', source), to]);
  }
  if (source !== '.') throw new Error(`COPY ${text}: only the whole context can be copied`);
  for (const file of contextFiles()) cpSync(join(ROOT, file), join(to, file), { verbatimSymlinks: true });
}

/** Runs in the folder as root, with this machine's network, as `docker build` does. */
function runIn(root: string, cwd: string, text: string): void {
  const command = text.replace(/^(--mount=\S+ )+/, '');
  const inside = `mount --bind "${root}" "${root}" && cd "${root}" && mount -t proc proc proc && mount --rbind /dev dev
    && cp /etc/resolv.conf etc/resolv.conf && cp -r /etc/ssl/certs/. etc/ssl/certs/ 2>/dev/null;
    exec chroot . /usr/bin/env -i PATH=${PATH} HOME=/root ${npmSettings()} /bin/sh -c 'cd "$0" && eval "$1"' "$0" "$1"`;
  mkdirSync(join(root, 'etc/ssl/certs'), { recursive: true });
  const args = ['--mount', '--pid', '--fork', 'sh', '-c', inside.replaceAll(/\n\s+/g, ' '), cwd, command];
  run('unshare', args);
}

/** Passes this machine's registry settings on to the steps. */
function npmSettings(): string {
  const names = ['registry', 'cafile', 'proxy', 'https-proxy'];
  const set = names.map((name) => [name, run('npm', ['config', 'get', name]).trim()] as const);
  const proxies = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE'];
  const inherited = proxies.filter((name) => process.env[name] !== undefined);
  return [
    ...set
      .filter(([, value]) => value !== 'null')
      .map(([name, value]) => `npm_config_${name.replaceAll('-', '_')}='${value}'`),
    ...inherited.map((name) => `${name}='${process.env[name]}'`),
  ].join(' ');
}

interface Container {
  process: ChildProcess;
  output(): string;
  /** Runs a command in it as its user; returns the output. */
  exec(args: readonly string[]): { status: number | null; stdout: string; stderr: string };
}

/** Starts it as its user, read-only except its volume, without capabilities. */
function start(image: string, stage: Stage, volume: string, settings: Record<string, string>): Container {
  const [uid = '', gid = ''] = lastOf(stage, 'USER').split(':');
  const environment = { PATH, ...environmentOf(stage), ...settings };
  const set = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  const inside =
    `mount --bind "${image}" "${image}" && cd "${image}" && mount --bind "${volume}" "./${lastOf(stage, 'VOLUME')}"
    && mount -o remount,bind,ro . && mount -t proc proc proc && mount --rbind /dev dev
    && exec chroot . /usr/bin/setpriv --reuid=${uid} --regid=${gid} --clear-groups --bounding-set=-all --inh-caps=-all
    --no-new-privs /usr/bin/env -i --chdir=${lastOf(stage, 'WORKDIR')} "$@"`.replaceAll(/\n\s+/g, ' ');
  const words = [...wordsOf(lastOf(stage, 'ENTRYPOINT')), ...wordsOf(lastOf(stage, 'CMD'))];
  // --kill-child: all its processes end with this script.
  const flags = ['--mount', '--pid', '--ipc', '--fork', '--kill-child=SIGKILL'];
  const child = spawn('unshare', [...flags, 'sh', '-c', inside, 'sh', ...set, ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (printed += text));
  return {
    process: child,
    output: () => printed,
    exec(args) {
      const enter = [
        '--target',
        innerPid(child),
        '--mount',
        '--pid',
        '--ipc',
        '--root',
        '--wd',
        '--setuid',
        uid,
        '--setgid',
        gid,
      ];
      return spawnSync('nsenter', [...enter, '/usr/bin/env', '-i', ...set, ...args], { encoding: 'utf8' });
    },
  };
}

/** The server's pid on this machine: the only child of `unshare`. */
function innerPid(child: ChildProcess): string {
  return readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim();
}

async function until(ready: () => boolean, container: Container): Promise<void> {
  const deadline = Date.now() + READY_MS;
  while (!ready()) {
    if (container.process.exitCode !== null || Date.now() > deadline)
      throw new Error(`it did not start:\n${container.output()}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

async function tryOut(image: string, stage: Stage, volume: string): Promise<void> {
  const port = await freePort();
  const container = start(image, stage, volume, { MINTMARK_PORT: String(port), MINTMARK_DRAIN: '0' });
  try {
    await until(() => container.output().includes('mintmark is ready'), container);
    const status = readFileSync(`/proc/${innerPid(container.process)}/status`, 'utf8');
    check(`it runs as ${lastOf(stage, 'USER')}`, /^Uid:\t1000\t1000\t1000\t1000$/m.test(status), status);
    check(
      'it has no capability and cannot get one',
      /^CapEff:\t0+$/m.test(status) && /^CapBnd:\t0+$/m.test(status) && /^NoNewPrivs:\t1$/m.test(status),
      status,
    );
    const health = wordsOf(lastOf(stage, 'HEALTHCHECK'));
    check(
      'its health check succeeds',
      container.exec(health).status === 0,
      JSON.stringify(container.exec(health)),
    );
    const [, id = ''] = /client_id +(\S+)/.exec(container.output()) ?? [];
    const [, secret = ''] = /client_secret +(\S+)/.exec(container.output()) ?? [];
    const url = `http://127.0.0.1:${port}`;
    const body = new URLSearchParams({ client_id: id, client_secret: secret });
    const answer = await fetch(`${url}/marketing/oauth2/token`, { method: 'POST', body });
    check('it issues a token', answer.status === 200 && (await answer.text()).includes('access_token'));
    check('it serves the console', (await fetch(`${url}/console/`)).status === 200);
    const made = container.exec(['mintmark', 'api-user', 'create', '--name', 'Importer', '--json']);
    check('its commands work beside it', made.status === 0, made.stderr);
    const touched = container.exec(['sh', '-c', 'touch /app/x /tmp/x /etc/x /usr/local/bin/x']);
    check(
      'nothing but the volume can be written',
      touched.stderr.split('Read-only file system').length === 5,
      touched.stderr,
    );
    check('npm is not there', container.exec(['npm', '--version']).status === 127);
    const exited = once(container.process, 'exit');
    process.kill(Number(innerPid(container.process)), 'SIGTERM');
    const [code] = (await exited) as [number | null];
    check('it ends by itself on SIGTERM, with 0', code === 0, container.output());
  } finally {
    await stop(container);
  }
}

async function stop({ process: child }: Container): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

async function main(): Promise<void> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    throw new Error('This needs Linux and root: chroot, mount namespaces.');
  const { stages } = readDockerfile();
  const last = stages.at(-1);
  if (last === undefined) throw new Error('deploy/Dockerfile has no stage');
  const folder = mkdtempSync(join(tmpdir(), 'mintmark-image-'));
  try {
    const image = build(stages, folder);
    console.log(`image: ${run('du', ['-sh', join(image, 'app')]).split('\t')[0]} in /app`);
    const files = run('find', [join(image, 'app/packages'), '-name', '*.ts', '-not', '-name', '*.d.ts']);
    check('none of our sources are in it', files === '', files);
    const tools = ['typescript', 'vite', 'oxlint', 'playwright-core'].map((name) =>
      join(image, 'app/node_modules', name),
    );
    check('nothing that builds and tests it is in it', !tools.some((path) => existsSync(path)));
    const volume = join(folder, 'volume');
    run('cp', ['-a', join(image, lastOf(last, 'VOLUME')), volume]); // as Docker fills an empty volume
    await tryOut(image, last, volume);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

await main();
