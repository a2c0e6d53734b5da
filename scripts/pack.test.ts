// Test setup: first.
// What `npm pack` and `npm publish` take from a fresh clone, and what the documents say of installing it.
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { registryAnswers, userEnvironment } from './user-environment.ts';

const ROOT = new URL('..', import.meta.url).pathname;
const CLONE_AND_BUILD_MS = 400_000;
const execute = promisify(execFile);
const env = userEnvironment();

const PACKAGES = {
  '@mintmark/client': {
    folder: 'packages/client',
    files: ['dist/index.js', 'dist/index.d.ts', 'dist/file-store.js', 'dist/openapi-fetch.d.ts'],
  },
  '@mintmark/verifier': {
    folder: 'packages/verifier',
    files: ['dist/index.js', 'dist/index.d.ts', 'dist/express.js', 'dist/node-http.d.ts'],
  },
  '@mintmark/conformance': {
    folder: 'packages/conformance',
    files: ['dist/index.js', 'dist/index.d.ts', 'dist/main.js', 'bin/mintmark-conformance.mjs'],
  },
  '@mintmark/testing': {
    folder: 'packages/testing',
    files: ['dist/index.js', 'dist/index.d.ts'],
  },
  mintmark: {
    folder: 'packages/server',
    files: ['dist/main.js', 'dist/server/sandbox/index.d.ts', 'bin/mintmark.mjs', 'console/dist/index.html'],
  },
} as const;

let folder: string;
before(() => (folder = mkdtempSync(join(tmpdir(), 'mintmark-pack-'))));
after(() => rmSync(folder, { recursive: true, force: true }));

interface Packed {
  filename: string;
  files: { path: string }[];
}

/** Runs `npm pack` as a user does; what it prints to stdout must be JSON and nothing else. */
async function pack(clone: string, name: string): Promise<Packed> {
  const args = ['pack', '--json', '--workspace', name, '--pack-destination', folder];
  const { stdout } = await execute('npm', args, { cwd: clone, env, maxBuffer: 64 * 1024 * 1024 });
  const printed: object = JSON.parse(stdout);
  const [packed] = Object.values(printed) as Packed[];
  assert.ok(packed, stdout);
  return packed;
}

void test('npm pack in a fresh clone builds each package', { timeout: CLONE_AND_BUILD_MS }, async (t) => {
  if (!registryAnswers(env)) {
    assert.ok(
      !process.env['CI'],
      'npm pack in a fresh clone needs the npm registry, which cannot be reached',
    );
    return t.skip('PACKING WAS NOT TESTED: the npm registry cannot be reached');
  }
  const clone = join(folder, 'clone');
  execFileSync('git', ['clone', '--quiet', ROOT, clone], { env });
  for (const [name, { folder: place, files }] of Object.entries(PACKAGES)) {
    // What a former build left behind is not packed.
    mkdirSync(join(clone, place, 'dist'), { recursive: true });
    writeFileSync(join(clone, place, 'dist/left-over.js'), '');
    const packed = await pack(clone, name);
    const paths = packed.files.map(({ path }) => path);
    for (const file of [...files, 'package.json', 'README.md', 'LICENSE'])
      assert.ok(paths.includes(file), file);
    assert.deepEqual(
      paths.filter((path) => /left-over|^(src|test)\/|\.test\./.test(path)),
      [],
    );
    // These two are installed together only: the second needs the first.
    if (name === 'mintmark' || name === '@mintmark/testing') continue;
    const project = join(folder, place.replace('/', '-'));
    mkdirSync(project);
    writeFileSync(join(project, 'package.json'), '{"private":true,"type":"module"}');
    const install = ['install', '--prefer-offline', '--no-audit', '--no-fund', join(folder, packed.filename)];
    await execute('npm', install, { cwd: project, env });
    const program = `console.log(Object.keys(await import('${name}')).length > 0)`;
    const { stdout } = await execute(process.execPath, ['--input-type=module', '-e', program], {
      cwd: project,
      env,
    });
    assert.equal(stdout.trim(), 'true');
  }
  const { stdout: status } = await execute('git', ['status', '--porcelain'], { cwd: clone, env });
  assert.equal(status, '', 'nothing in the clone is new or changed');
});

for (const [name, { folder: place }] of Object.entries(PACKAGES)) {
  void test(`${name} names its repository, and its README works elsewhere`, () => {
    const manifest = JSON.parse(readFileSync(join(ROOT, place, 'package.json'), 'utf8')) as {
      repository: { url: string; directory: string };
      publishConfig: object;
      files: string[];
    };
    assert.equal(manifest.repository.directory, place);
    assert.ok(URL.canParse(manifest.repository.url));
    assert.ok(manifest.publishConfig);
    const readme = readFileSync(join(ROOT, place, 'README.md'), 'utf8');
    for (const [, link = ''] of readme.matchAll(/\]\(([^)#\s]+)/g)) {
      const isPacked = manifest.files.some((file) => link.startsWith(`${file}/`));
      assert.ok(
        link.startsWith('https://') || isPacked || link === 'LICENSE',
        `${link} is not in the tarball`,
      );
    }
    assert.match(readme, new RegExp(`npm pack --workspace ${name}\\b`));
    assert.match(
      readme,
      new RegExp(`npm install .*${name.replace('@', '').replace('/', '-')}-[\\d.]+\\.tgz`),
    );
  });
}

/** Registered by nobody, so that whoever comes first could have them. */
const FROM_REGISTRY =
  /npm (?:i|install|add|exec)(?: -\S+)* @?mintmark(?:\/\w+)?(?:@\S+)?(?![\w/.-])|npx (?:-y|--yes) mintmark/;

void test('no document and no program advises a name from the npm registry', () => {
  const tracked = execFileSync('git', ['ls-files', '-z'], { cwd: ROOT, encoding: 'utf8' }).split('\0');
  const texts = tracked.filter((path) => /\.(md|ts|tsx|mjs|html|json|ya?ml)$/.test(path));
  const advising = texts.filter(
    (path) => !path.endsWith('pack.test.ts') && FROM_REGISTRY.test(readFileSync(join(ROOT, path), 'utf8')),
  );
  assert.deepEqual(advising, []);
  assert.match('npm install --global mintmark', FROM_REGISTRY);
  assert.match('npm i @mintmark/client', FROM_REGISTRY);
  assert.doesNotMatch('npm install /tmp/mintmark-client-0.1.0.tgz', FROM_REGISTRY);
});

void test('no dependency has an install script', () => {
  const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { hasInstallScript?: boolean }>;
  };
  const withScripts = Object.keys(lock.packages).filter((path) => lock.packages[path]?.hasInstallScript);
  assert.deepEqual(withScripts, []);
});
