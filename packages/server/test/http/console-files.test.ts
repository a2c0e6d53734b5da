import assert from 'node:assert/strict';
import { test } from 'node:test';
import fastify from 'fastify';
import { consoleRoutes } from '../../src/http/public/console.ts';
import { CONSOLE_PAGES, ORGANISATION_PAGES, PORTAL_PAGES } from '../../src/http/public/console-pages.ts';
import { temporaryFolder } from '@mintmark/test-support/command-line';
import { startServer } from '@mintmark/test-support/server';

void test('the console is served as files', async (t) => {
  await using server = await startServer();
  const at = (path: string, init: RequestInit = {}) => fetch(`http://localhost:${server.port}${path}`, init);
  const document = await at('/console');
  const html = await document.text();

  await t.test('every page of console and portal is the same document, never cached', async () => {
    assert.equal(document.status, 200);
    const pages = [
      ...CONSOLE_PAGES.map((page) => `/console${page}`),
      '/portal',
      ...PORTAL_PAGES.map((page) => `/portal${page}`),
      '/portal/organisations/org_00000000000000000000',
      ...ORGANISATION_PAGES.map((page) => `/portal/organisations/org_00000000000000000000${page}`),
    ];
    for (const page of pages) {
      const response = await at(page.replace(':clientId', 'api_00000000000000000000'));
      assert.equal(response.status, 200, page);
      assert.equal(response.headers.get('cache-control'), 'no-store');
      assert.equal(response.headers.get('content-type'), 'text/html; charset=utf-8');
      assert.equal(await response.text(), html);
    }
  });

  await t.test('the document names the admin API without an inline script', () => {
    const [, content = ''] = /<meta name="mintmark-console" content="([^"]*)"/.exec(html) ?? [];
    const config = JSON.parse(content.replaceAll('&#34;', '"')) as Record<string, string>;
    assert.equal(config['api'], '/marketing/admin/v1');
    assert.equal(config['portal_api'], '/marketing/portal/v1');
    assert.equal(config['token_endpoint'], `${server.url}/oauth2/token`);
    assert.doesNotMatch(html, /<script(?![^>]*\ssrc=)|<style|\son[a-z]+=|\sstyle=/);
  });

  await t.test('document and assets forbid frames, inline code, other origins and sniffing', async () => {
    const [, script = ''] = /src="([^"]+\.js)"/.exec(html) ?? [];
    for (const path of ['/console', '/console/nowhere', '/portal', script]) {
      const { headers } = await at(path);
      const policy = headers.get('content-security-policy') ?? '';
      assert.match(
        policy,
        /^default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';/,
        path,
      );
      assert.match(policy, /frame-ancestors 'none'; base-uri 'none'; form-action 'self'/);
      assert.doesNotMatch(policy, /unsafe|https?:|\*/);
      assert.equal(headers.get('x-frame-options'), 'DENY');
      assert.equal(headers.get('x-content-type-options'), 'nosniff');
      assert.equal(headers.get('referrer-policy'), 'no-referrer');
    }
  });

  await t.test('an asset is compressed and cached forever, by its content name', async () => {
    const assets = [...html.matchAll(/(?:src|href)="(\/console\/assets\/[^"]+)"/g)].map(
      ([, path = '']) => path,
    );
    assert.ok(assets.length >= 3, html);
    for (const path of assets) {
      for (const encoding of ['br', 'gzip', 'identity']) {
        const response = await at(path, { headers: { 'accept-encoding': encoding } });
        assert.equal(response.status, 200, path);
        assert.equal(response.headers.get('cache-control'), 'public, max-age=31536000, immutable');
        assert.equal(response.headers.get('content-encoding') ?? 'identity', encoding);
        assert.ok((await response.text()).length > 0);
      }
    }
  });

  await t.test('an unknown page of console or portal is a 404 with advice', async () => {
    for (const path of [
      '/console/nowhere',
      '/console/api-users/a/b/c',
      '/console/api-users/%E0%A4%A',
      '/portal/nowhere',
      '/portal/organisations/org_a/nowhere',
      '/portal/organisations/%E0%A4%A',
    ]) {
      const response = await at(path);
      assert.equal(response.status, 404, path);
      assert.equal(await response.text(), html, 'the console, which has a page for it');
    }
    const asset = await at('/console/assets/other.js');
    assert.equal(asset.status, 404);
    assert.match(await asset.text(), /href="\/console"/);
  });

  await t.test('a path out of the console’s folder is a 404', async () => {
    for (const path of [
      '/console/assets/..%2findex.html',
      '/console/assets/%2e%2e/%2e%2e/package.json',
      '/console/assets/..%5c..%5cpackage.json',
      '/console/assets/%00',
    ]) {
      const response = await at(path);
      assert.equal(response.status, 404, path);
      assert.doesNotMatch(await response.text(), /"name"/);
    }
  });
});

void test('without a built console, /console says how to build it', async () => {
  const app = fastify();
  await consoleRoutes(
    app,
    { basePath: '/marketing', issuer: 'http://localhost/marketing' },
    '1',
    temporaryFolder(),
  );
  for (const path of ['/console', '/console/api-users', '/portal', '/portal/organisations/org_a']) {
    const response = await app.inject(path);
    assert.equal(response.statusCode, 503);
    assert.match(response.body, /npm run build/);
    assert.match(String(response.headers['content-security-policy']), /default-src 'none'/);
  }
});
