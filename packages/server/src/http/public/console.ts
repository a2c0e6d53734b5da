import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Config } from '../../config/config.ts';
import {
  CONSOLE_PAGES,
  CONSOLE_PATH,
  ORGANISATION_PAGES,
  ORGANISATIONS_PATH,
  PORTAL_PAGES,
  PORTAL_PATH,
  type ConsoleConfig,
} from './console-pages.ts';
import { ADMIN_PATH, PORTAL_PATH as PORTAL_API_PATH, TOKEN_PATH } from '../paths.ts';

/**
 * `npm start` and `npm run build` write it: beside src/ in a clone, beside dist/ in the published package.
 */
const BUILT: string = fileURLToPath(new URL('../../../console/dist/', import.meta.url));

const HTML = 'text/html; charset=utf-8';

/** Allows only files and the admin API of this server: no frames, forms to other sites or inline scripts. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'self'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

const SECURITY_HEADERS = {
  'Content-Security-Policy': CONTENT_SECURITY_POLICY,
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
};

/** The paths with the document. The console and the portal have pages of their own for other paths. */
const PAGES: readonly string[] = [
  CONSOLE_PATH,
  ...CONSOLE_PAGES.map((page) => CONSOLE_PATH + page),
  PORTAL_PATH,
  ...PORTAL_PAGES.map((page) => PORTAL_PATH + page),
  `${ORGANISATIONS_PATH}/:organisationId`,
  ...ORGANISATION_PAGES.map((page) => `${ORGANISATIONS_PATH}/:organisationId${page}`),
];
/** Not all below /portal: the API of the portal has paths there. */
const OTHER_PAGES: readonly string[] = [
  `${CONSOLE_PATH}/*`,
  `${PORTAL_PATH}/:page`,
  `${ORGANISATIONS_PATH}/:organisationId/*`,
];

/**
 * The console and the portal: one document at the paths of their pages, and its scripts and styles under
 * /console/assets.
 */
export async function consoleRoutes(
  app: FastifyInstance,
  config: Pick<Config, 'basePath' | 'issuer'>,
  version: string,
  built: string = BUILT,
): Promise<void> {
  const index = join(built, 'index.html');
  if (!existsSync(index)) {
    for (const path of [...PAGES, ...OTHER_PAGES]) {
      app.get(path, (_request, reply) => sendPage(reply, 503, NOT_BUILT));
    }
    return;
  }
  // Read once: a build while the server runs would otherwise mix an old document with new assets.
  const page = withConfig(readFileSync(index, 'utf8'), {
    api: config.basePath + ADMIN_PATH,
    portal_api: config.basePath + PORTAL_API_PATH,
    issuer: config.issuer,
    token_endpoint: config.issuer + TOKEN_PATH,
    version,
  });
  for (const path of PAGES) app.get(path, (_request, reply) => sendPage(reply, 200, page));
  for (const path of OTHER_PAGES) app.get(path, (_request, reply) => sendPage(reply, 404, page));
  app.get(`${CONSOLE_PATH}/assets/*`, (_request, reply) => sendPage(reply, 404, NO_SUCH_PAGE));
  await app.register(fastifyStatic, {
    root: join(built, 'assets'),
    prefix: `${CONSOLE_PATH}/assets/`,
    wildcard: false, // one route per existing file: the path of a request never selects a file
    preCompressed: true,
    globIgnore: ['**/*.br', '**/*.gz'],
    immutable: true, // each name holds a digest of the content
    maxAge: '1y',
    index: false,
    decorateReply: false,
    setHeaders: (response) => {
      for (const [name, value] of Object.entries(SECURITY_HEADERS)) response.header(name, value);
    },
  });
}

/**
 * Returns the URL unchanged, except of a page if its escapes are malformed: it becomes the URL of an unknown
 * page. Otherwise the router would answer people with JSON.
 */
export function consoleUrl(url: string): string {
  if (!url.startsWith(`${CONSOLE_PATH}/`) && !url.startsWith(`${ORGANISATIONS_PATH}/`)) return url;
  try {
    decodeURIComponent(url.split('?', 1)[0] ?? '');
    return url;
  } catch {
    return `${CONSOLE_PATH}/malformed`;
  }
}

function sendPage(reply: FastifyReply, status: number, html: string): FastifyReply {
  return reply
    .code(status)
    .headers({ ...SECURITY_HEADERS, 'Cache-Control': 'no-store' })
    .type(HTML)
    .send(html);
}

function withConfig(html: string, config: ConsoleConfig): string {
  const content = JSON.stringify(config).replace(/[&"<>]/g, (character) => `&#${character.charCodeAt(0)};`);
  return html.replace('</head>', () => `  <meta name="mintmark-console" content="${content}" />\n  </head>`);
}

function plainPage(title: string, ...paragraphs: string[]): string {
  const text = paragraphs.map((paragraph) => `<p>${paragraph}</p>`).join('\n');
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<h1>${title}</h1>
${text}
</html>
`;
}

const NOT_BUILT = plainPage(
  'The console has not been built',
  'Tokens are issued all the same, and the command line works: <code>npx mintmark --help</code>.',
  'To have the console: run <code>npm run build</code> in the clone, or <code>npm start</code>, which builds it when ' +
    'it must; then start the server again. The published package brings it built.',
);

const NO_SUCH_PAGE = plainPage(
  'There is no such page',
  `The address may have been cut off or mistyped. <a href="${CONSOLE_PATH}">Go to the overview.</a>`,
);
