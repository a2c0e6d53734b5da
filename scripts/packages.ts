// The packages that npm publishes, and how a user packs and installs them.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);

export const PACKAGES = {
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

interface Packed {
  filename: string;
  files: { path: string }[];
}

/** Packs a package of a clone into `folder`, and checks what npm took. */
export async function pack(
  clone: string,
  name: keyof typeof PACKAGES,
  folder: string,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const { folder: place, files } = PACKAGES[name];
  // What a former build left behind is not packed.
  mkdirSync(join(clone, place, 'dist'), { recursive: true });
  writeFileSync(join(clone, place, 'dist/left-over.js'), '');
  const args = ['pack', '--json', '--workspace', name, '--pack-destination', folder];
  const { stdout } = await execute('npm', args, { cwd: clone, env, maxBuffer: 64 * 1024 * 1024 });
  // Nothing but JSON, also when the first command installs packages.
  const printed: object = JSON.parse(stdout);
  const [packed] = Object.values(printed) as Packed[];
  assert.ok(packed, stdout);
  const paths = packed.files.map(({ path }) => path);
  for (const file of [...files, 'package.json', 'README.md', 'LICENSE'])
    assert.ok(paths.includes(file), file);
  assert.deepEqual(
    paths.filter((path) => /left-over|^(src|test)\/|\.test\./.test(path)),
    [],
  );
  // The tests of the other packages install their tarballs.
  if (name === '@mintmark/conformance') await use(name, join(folder, packed.filename), env);
}

/** Installs a tarball into an empty project, and imports it. */
async function use(name: string, tarball: string, env: NodeJS.ProcessEnv): Promise<void> {
  const project = `${tarball}-project`;
  mkdirSync(project);
  writeFileSync(join(project, 'package.json'), '{"private":true,"type":"module"}');
  const install = ['install', '--prefer-offline', '--no-audit', '--no-fund', tarball];
  await execute('npm', install, { cwd: project, env });
  const program = `console.log(Object.keys(await import('${name}')).length > 0)`;
  const { stdout } = await execute(process.execPath, ['--input-type=module', '-e', program], {
    cwd: project,
    env,
  });
  assert.equal(stdout.trim(), 'true');
}
