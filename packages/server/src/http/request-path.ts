import type { Config } from '../config/config.ts';
import type { Answer } from './answer.ts';
import { errorAnswer } from './error-response.ts';
import { ADMIN_PATH, PORTAL_PATH as PORTAL_API_PATH, TOKEN_PATH } from './paths.ts';
import { CONSOLE_PATH, PORTAL_PATH } from './public/console-pages.ts';

/** The path of a request target. A proxy may send a whole URL (absolute-form, RFC 9112 §3.2.2). */
export function pathOf(target: string): string {
  const start = target.startsWith('/') ? 0 : Math.max(0, target.indexOf('/', target.indexOf('://') + 3));
  const query = target.indexOf('?');
  return target.slice(start, query < 0 ? target.length : query);
}

/** The same with escapes decoded (RFC 3986 §6.2.2.2); unchanged if they are malformed. */
export function decodedPath(target: string): string {
  const path = pathOf(target);
  if (!path.includes('%')) return path;
  try {
    return decodeURI(path);
  } catch {
    return path;
  }
}

/** Whether the path belongs to the admin API, the portal or the console. */
export function isOfManagement(path: string, { basePath }: Pick<Config, 'basePath'>): boolean {
  const roots = [CONSOLE_PATH, PORTAL_PATH, basePath + ADMIN_PATH, basePath + PORTAL_API_PATH];
  return roots.some(
    (root) => path.startsWith(root) && (path.length === root.length || path[root.length] === '/'),
  );
}

export function notFoundAnswer(traceId: string, { basePath }: Pick<Config, 'basePath'>): Answer {
  const description = `There is nothing at this path: tokens are asked for at ${basePath}${TOKEN_PATH}.`;
  return errorAnswer(404, 'not_found', description, traceId);
}
