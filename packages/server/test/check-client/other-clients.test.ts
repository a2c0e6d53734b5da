// Test setup: own store, own limits, long.
// docs/check-client.md has the verdicts of a run. It needs what the page needs: apt-get install curl jq
// python3-requests-oauthlib golang-go golang-golang-x-oauth2-dev ruby-oauth2.
import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import { after, describe, test } from 'node:test';
import { temporaryFolder } from '@mintmark/test-support/command-line';
import { CHECK_CLIENT_FILE, verdictCells } from '../../../../scripts/check-clients.ts';
import { columnOf, skipReason, SUBJECTS } from './subjects.ts';

const RUNS_AT_ONCE = 2;
const page = readFileSync(CHECK_CLIENT_FILE, 'utf8');
const folder = temporaryFolder();
after(() => rmSync(folder, { recursive: true }));

describe('the clients of docs/check-client.md', { concurrency: RUNS_AT_ONCE }, () => {
  SUBJECTS.forEach((subject, number) => {
    test(`${subject.name} has the verdicts of the page`, { skip: skipReason(subject) }, async () => {
      const { checks } = await columnOf(subject, folder);
      const heading = `| Check | `;
      const lines = page.split('\n').map((line) => line.replaceAll(/ +/g, ' '));
      const start = lines.findIndex((line) => line.startsWith(heading) && line.includes('@mintmark/client'));
      const written = lines.slice(start + 2, start + 2 + checks.length);
      assert.deepEqual(
        written.map((line) => line.split(' | ')[number + 1]?.replace(/ \|$/, '')),
        verdictCells(checks),
        'run npm run check-clients',
      );
    });
  });
});
