// What the packages and the documents say of installing them. bootstrap.test.ts packs them in a fresh clone.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { PACKAGES } from './packages.ts';

const ROOT = new URL('..', import.meta.url).pathname;

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
