// Test setup: own store, first.
// Disks that cannot be written: read-only, and full.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { BINARY, binary, finished } from '@mintmark/test-support/binary';
import { freePort, mintmark } from '@mintmark/test-support/server';
import { testStore } from '@mintmark/test-support/command-line';

const isRoot = process.getuid?.() === 0;

/** Root may write whatever the mode says, unless these rights are taken from it. */
const WITHOUT_RIGHTS = isRoot ? ['setpriv', '--bounding-set=-all', '--inh-caps=-all'] : [];
const canObeyModes =
  !isRoot || spawnSync('setpriv', ['--bounding-set=-all', '--inh-caps=-all', 'true']).status === 0;

const READ_ONLY =
  /^mintmark: The store .*mintmark\.db cannot be written: give this user write access to it and its folder\.\n$/;

test(
  'an unwritable store is refused and keeps every byte',
  { skip: !canObeyModes && 'root obeys no modes here: setpriv is missing' },
  async () => {
    using store = await testStore({ keys: true });
    const before = readFileSync(store.path);
    chmodSync(store.path, 0o400);
    for (const mode of [0o500, 0o700]) {
      chmodSync(store.dataDir, mode);
      const env = { ...store.env, MINTMARK_PORT: String(await freePort()) };
      for (const args of [['serve'], ['migrate'], ['api-user', 'create', '--name', 'x']]) {
        const { code, out, err } = await binary(args, { env, prefix: WITHOUT_RIGHTS });
        assert.equal(code, 5, `${args.join(' ')}: ${out}${err}`);
        assert.equal(out, '');
        assert.match(err, READ_ONLY);
      }
      assert.ok(readFileSync(store.path).equals(before));
    }
  },
);

test(
  'an unwritable folder is refused at the first start, unchanged',
  { skip: !canObeyModes && 'root obeys no modes here: setpriv is missing' },
  async () => {
    using store = await testStore();
    const closed = join(store.dataDir, 'closed');
    mkdirSync(closed);
    chmodSync(closed, 0o500);
    const port = String(await freePort());
    const cases: [string, RegExp][] = [
      [
        closed,
        /^mintmark: The store .*mintmark\.db cannot be made \(EACCES\): check the folder's owner and mode\.\n$/,
      ],
      [
        join(closed, 'data'),
        /^mintmark: The data folder .* cannot be made \(EACCES\): name another with --data-dir\.\n$/,
      ],
    ];
    for (const [dataDir, message] of cases) {
      const env = { MINTMARK_DATA_DIR: dataDir, MINTMARK_PORT: port };
      const { code, out, err } = await binary(['serve'], { env, prefix: WITHOUT_RIGHTS });
      assert.equal(code, 5, out + err);
      assert.match(err, message);
    }
    assert.deepEqual(readdirSync(closed), []);
    chmodSync(closed, 0o700);
  },
);

const canMount =
  spawnSync('unshare', ['--map-root-user', '--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0;

/** A script starts the program half a dozen times. */
const SCRIPT_MS = 240_000;

/** A small file system of its own that only this script sees, and that ends with it. */
async function onSmallDisk(folder: string, kib: number, script: string, env: Record<string, string>) {
  const mounted = `set -eu; mount -t tmpfs -o size=${kib}k tmpfs "$DISK"; fill() { cat /dev/zero > "$DISK/fill" 2> /dev/null || true; }`;
  const child = spawn('unshare', ['--map-root-user', '--mount', 'sh', '-c', `${mounted}\n${script}`], {
    env: { PATH: process.env['PATH'] ?? '', DISK: folder, NODE: process.execPath, MINTMARK: BINARY, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return await finished(child, SCRIPT_MS);
}

test(
  'a full disk is reported, and the store keeps its content',
  { skip: !canMount && 'no file system can be mounted here' },
  async () => {
    using store = await testStore({ keys: true });
    await mintmark(['api-user', 'create', '--name', 'Importer'], { env: store.env });
    const disk = join(store.dataDir, 'disk');
    mkdirSync(disk);
    const script = `
      cp "$STORE"/mintmark.db "$STORE"/master.key "$DISK"
      "$NODE" "$MINTMARK" doctor > /dev/null
      fill
      for i in 1 2 3; do
        "$NODE" "$MINTMARK" api-user create --name x && exit 10 || echo "exit code $?"
      done
      cmp "$STORE/mintmark.db" "$DISK/mintmark.db"
      rm "$DISK/fill"
      "$NODE" "$MINTMARK" doctor
      "$NODE" "$MINTMARK" api-user list`;
    const { code, out, err } = await onSmallDisk(disk, 3072, script, {
      MINTMARK_DATA_DIR: disk,
      STORE: store.dataDir,
    });
    assert.equal(code, 0, out + err);
    assert.match(out, /^(exit code 5\n){3}/);
    const lines = err.trimEnd().split('\n');
    assert.equal(lines.length, 3, err);
    for (const line of lines)
      assert.match(
        line,
        /^mintmark: The disk under .*mintmark\.db (is full: free some space|answered with an error: check the disk and its free space)/,
      );
    assert.doesNotMatch(out, /FAIL/);
    assert.match(out, /enabled {2}Importer/);
  },
);

test(
  'a first start on a full disk fails, the next one succeeds',
  { skip: !canMount && 'no file system can be mounted here' },
  async () => {
    using store = await testStore();
    const disk = join(store.dataDir, 'disk');
    mkdirSync(disk);
    // Room for nothing, for some pages, for nearly all of the store.
    const script = `
      for kib in 0 80 520; do
        rm -rf "$DISK"/*
        mkdir "$DISK/data"
        if [ $kib -gt 0 ]; then head -c \${kib}k /dev/zero > "$DISK/room"; fi
        fill
        rm -f "$DISK/room"
        "$NODE" "$MINTMARK" serve && exit 10 || echo "exit code $?"
        rm "$DISK/fill"
        "$NODE" "$MINTMARK" serve > "$DISK/out" 2> "$DISK/err" & server=$!
        until grep -qs 'mintmark is ready' "$DISK/out"; do kill -0 $server || { cat "$DISK/err"; exit 11; }; sleep 0.1; done
        kill $server
        wait $server
        grep -c client_secret= "$DISK/out"
      done`;
    const { code, out, err } = await onSmallDisk(disk, 3072, script, {
      MINTMARK_DATA_DIR: join(disk, 'data'),
      MINTMARK_PORT: String(await freePort()),
      MINTMARK_DRAIN: '0',
      MINTMARK_LOG_LEVEL: 'silent',
    });
    assert.equal(code, 0, out + err);
    assert.match(out, /^(exit code [35]\n1\n){3}$/);
    for (const line of err.trimEnd().split('\n')) {
      assert.match(
        line,
        /^mintmark: .*(is full: free some space|check the disk|its folder and the disk|its free space)/,
      );
    }
  },
);
