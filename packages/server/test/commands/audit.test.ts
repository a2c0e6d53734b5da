import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { userInfo } from 'node:os';
import { test } from 'node:test';
import { testStore, type TestStore } from '@mintmark/test-support/command-line';

interface Shown {
  n: number;
  at: string;
  actor: { kind: string; id: string; name: string; address: string | null; role: string | null };
  action: string;
  outcome: string;
  subject: { kind: string; id: string | null };
  related: { kind: string; id: string } | null;
  before: Record<string, unknown> | null;
  after: Record<string, unknown> | null;
  reason: string | null;
  hash: string;
}

interface Page {
  items: Shown[];
  next: string | null;
}

/** An API user with a secret, renamed; and an attempt that was refused. */
async function someChanges(store: TestStore): Promise<string> {
  const { client_id: id } = await store.json<{ client_id: string }>(
    'api-user',
    'create',
    '--name',
    'Importer',
  );
  await store.cli('api-user', 'update', id, '--name', 'Exporter');
  assert.equal((await store.run(['api-user', 'update', id, '--name', ' '])).code, 3);
  return id;
}

test('audit list shows changes and refusals, the newest first', async () => {
  using store = await testStore();
  const none = await store.run(['audit', 'list']);
  assert.deepEqual([none.code, none.out], [0, '']);
  assert.match(none.err, /audit log has no such entry/);
  const id = await someChanges(store);
  const lines = (await store.cli('audit', 'list')).trimEnd().split('\n');
  assert.match(lines[0] ?? '', /^TIME +N +WHO +FROM +ACTION +OUTCOME +WHAT$/);
  const expected = [
    `api_user\\.update +refused +api_user ${id} \\(Exporter\\): The name is empty: give one\\.`,
    `api_user\\.update +done +api_user ${id} \\(Exporter\\)`,
    `credential\\.create +done +credential \\w{10} \\(.+\\) of ${id} \\(Exporter\\)`,
    `api_user\\.create +done +api_user ${id} \\(Exporter\\)`,
  ];
  assert.equal(lines.length, 1 + expected.length);
  for (const [i, pattern] of expected.entries()) {
    const line = `^\\d{4}-\\S+Z +${4 - i} +${userInfo().username} +- +${pattern}$`;
    assert.match(lines[1 + i] ?? '', new RegExp(line));
  }
});

test('audit list --json shows changes under the names of other commands', async () => {
  using store = await testStore();
  const id = await someChanges(store);
  const { items, next } = await store.json<Page>(
    'audit',
    'list',
    '--action',
    'api_user.update',
    '--outcome',
    'done',
  );
  assert.equal(next, null);
  const [{ at, hash, ...entry }, ...others] = items as [Shown, ...Shown[]];
  assert.equal(others.length, 0);
  assert.match(at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.match(hash, /^[0-9a-f]{64}$/);
  const name = userInfo().username;
  assert.deepEqual(entry, {
    n: 3,
    actor: { kind: 'command_line', id: name, name, address: null, role: null },
    action: 'api_user.update',
    outcome: 'done',
    subject: { kind: 'api_user', id, name: 'Exporter' },
    related: null,
    before: { name: 'Importer' },
    after: { name: 'Exporter' },
    reason: null,
    organisation_id: null,
  });
});

test('audit list goes page by page and takes each filter', async () => {
  using store = await testStore();
  const id = await someChanges(store);
  await someChanges(store);
  const numbers = async (...options: string[]) =>
    (await store.json<Page>('audit', 'list', ...options)).items.map(({ n }) => n);
  assert.deepEqual(await numbers(), [8, 7, 6, 5, 4, 3, 2, 1]);
  assert.deepEqual(await numbers('--subject', id), [4, 3, 2, 1]);
  assert.deepEqual(await numbers('--outcome', 'refused'), [8, 4]);
  assert.deepEqual(await numbers('--action', 'credential.create'), [6, 2]);
  assert.deepEqual(await numbers('--actor', 'nobody'), []);
  assert.deepEqual(await numbers('--actor', userInfo().username, '--limit', '1'), [8]);
  assert.deepEqual(await numbers('--to', '2026-01-01'), []);
  assert.equal((await numbers('--from', '2026-01-01T00:00:00+02:00', '--to', '2999-01-01')).length, 8);
  const page = await store.run(['audit', 'list', '--limit', '3']);
  const [, after = ''] = /More: the same with --after (\S+)/.exec(page.err) ?? [];
  assert.deepEqual(await numbers('--limit', '3', '--after', after), [5, 4, 3]);
  for (const [wrong, code] of [
    [['--from', 'yesterday'], 2],
    [['--from', '2026-13-01'], 2],
    [['--action', 'api_user.hack'], 2],
    [['--limit', '0'], 2],
    [['--after', 'x'], 3],
  ] as const) {
    assert.equal((await store.run(['audit', 'list', ...wrong])).code, code, wrong.join(' '));
  }
});

test('audit list and export show entries with forged numbers or times', async () => {
  using store = await testStore();
  const id = await someChanges(store);
  const HUGE = '9223372036854775807';
  store.sql(`update audit set n = ${HUGE} where n = 1`);
  store.sql(`update audit set n = -${HUGE} where n = 2`);
  store.sql(`update audit set at = ${HUGE} where n = 3`);
  store.sql(`update audit set at = -${HUGE} where n = 4`);
  const most = Number.MAX_SAFE_INTEGER;
  const expected = [3, most, -most, 4];
  for (const filter of [[], ['--subject', id]]) {
    const { items } = await store.json<Page>('audit', 'list', ...filter);
    assert.deepEqual(
      items.map(({ n }) => n),
      expected,
    );
    assert.deepEqual(
      [items[0]?.at, items[3]?.at],
      ['+275760-09-13T00:00:00.000Z', '-271821-04-20T00:00:00.000Z'],
    );
    for (const limit of [1, 2, 3]) {
      const seen: number[] = [];
      let next: string | null = null;
      for (let page = 0; page < expected.length / limit; page++) {
        const more: string[] = next === null ? [] : ['--after', next];
        const found = await store.json<Page>('audit', 'list', ...filter, '--limit', `${limit}`, ...more);
        seen.push(...found.items.map(({ n }) => n));
        next = found.next;
      }
      assert.deepEqual([seen, next], [expected, null]);
    }
  }
  assert.match(await store.cli('audit', 'list'), new RegExp(` ${most} `));
  assert.equal((await store.run(['audit', 'export'])).code, 0);
  assert.equal((await store.run(['audit', 'verify'])).code, 6);
});

test('audit verify confirms the chain, or has exit code 6', async () => {
  using store = await testStore();
  await someChanges(store);
  const whole = await store.run(['audit', 'verify']);
  assert.equal(whole.code, 0);
  const [, head = ''] = /^entries {2}4\nhead {5}(4:[0-9a-f]{64})\n$/.exec(whole.out) ?? [];
  assert.match(whole.err, /The chain is whole\./);
  await store.cli('api-user', 'create', '--name', 'Another');
  assert.equal((await store.run(['audit', 'verify', '--head', head])).code, 0);

  const other = head.replace(/.$/, (last) => (last === '0' ? '1' : '0'));
  const unlike = await store.run(['audit', 'verify', '--head', other]);
  assert.equal(unlike.code, 6);
  assert.match(unlike.err, /entry 4 is not the one whose hash was noted/);
  assert.equal((await store.run(['audit', 'verify', '--head', 'x'])).code, 2);

  store.sql("update audit set actor_name = 'somebody else' where n = 2");
  const changed = await store.run(['audit', 'verify', '--json']);
  assert.equal(changed.code, 6);
  const { valid, first_bad, fault } = JSON.parse(changed.out) as Record<string, unknown>;
  assert.deepEqual([valid, first_bad, fault], [false, 2, 'changed']);
  assert.match(changed.err, /tampered with: entry 2 is not as it was written/);
  store.sql('delete from audit where n = 2');
  assert.match((await store.run(['audit', 'verify'])).err, /tampered with: entry 2 is missing/);
});

test('audit export writes JSON lines, oldest first, and records itself', async () => {
  using store = await testStore();
  const id = await someChanges(store);
  const lines = (await store.cli('audit', 'export')).trimEnd().split('\n');
  const entries = lines.map((line) => JSON.parse(line) as Shown);
  assert.deepEqual(
    entries.map(({ n, action }) => [n, action]),
    [
      [1, 'api_user.create'],
      [2, 'credential.create'],
      [3, 'api_user.update'],
      [4, 'api_user.update'],
      [5, 'audit.export'],
    ],
  );
  const { items } = await store.json<Page>('audit', 'list');
  assert.deepEqual(entries, items.toReversed(), 'the same as the list shows');
  let previous = '0'.repeat(64);
  for (const { hash, at, actor, subject, related, before, after, ...entry } of entries) {
    const values = [
      [previous, entry.n, Date.parse(at)],
      [actor.kind, actor.id, actor.name, actor.address, actor.role],
      [entry.action, entry.outcome, subject.kind, subject.id, related?.kind ?? null, related?.id ?? null],
      [before && JSON.stringify(before), after && JSON.stringify(after), entry.reason],
    ];
    previous = createHash('sha256').update(JSON.stringify(values.flat())).digest('hex');
    assert.equal(hash, previous, 'as docs/operations.md says that it is made');
  }
  const some = await store.cli('audit', 'export', '--subject', id, '--outcome', 'refused');
  assert.equal((JSON.parse(some) as Shown).n, 4);
});
