import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { temporaryFolder } from '@mintmark/test-support/command-line';
import { startServer } from '@mintmark/test-support/server';

test('the first start prints an API user once with a working curl', async () => {
  await using server = await startServer({ dataDir: temporaryFolder() });
  const [curl = ''] = /curl .*/.exec(server.output()) ?? [];
  const { stdout } = await promisify(execFile)('sh', ['-c', `${curl} -s`]);
  const token = JSON.parse(stdout) as { access_token: string; token_type: string; expires_in: number };
  assert.equal(token.token_type, 'Bearer');
  assert.equal(token.expires_in, 900);
  assert.equal(statSync(join(server.dataDir, 'master.key')).mode & 0o777, 0o600);
});

test('a later start prints URL and advice, and accepts the same credentials', async () => {
  await using first = await startServer();
  await first.stop();
  const second = await startServer({ dataDir: first.dataDir });
  const response = await second.post({ client_id: first.clientId, client_secret: first.clientSecret });
  assert.equal(response.status, 200);
  assert.match(second.output(), /: {2}mintmark api-user create/);
  assert.match(second.output(), /mintmark is ready: POST http:\/\/localhost:\d+\/marketing\/oauth2\/token/);
  assert.doesNotMatch(second.output(), /client_secret/);
  await second.stop();
});

test('where npm starts it, it names commands as npm runs them', async () => {
  await using server = await startServer({
    env: { MINTMARK_FIRST_API_USER: 'false', npm_lifecycle_event: 'start' },
  });
  assert.match(server.output(), /: {2}npx mintmark api-user create/);
});
