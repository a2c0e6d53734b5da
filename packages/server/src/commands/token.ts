import type { Command } from 'commander';
import { givenTextProblem, inQuotes } from '../domain/characters.ts';
import { TOKEN_PATH } from '../http/paths.ts';
import { loadConfig } from '../config/load-config.ts';
import { AppError } from '../domain/app-error.ts';
import { json, readLine, type Io } from './io.ts';

interface TokenOptions {
  url?: string;
  clientId?: string;
  secretStdin?: boolean;
  scope?: string;
  resource?: string;
  basic?: boolean;
  allowInsecure?: boolean;
  json?: boolean;
}

const TIMEOUT_MS = 10_000;

export function tokenCommand(program: Command, io: Io): void {
  const command = program
    .command('token')
    .description('Ask a server for an access token, as a client would.');
  command
    .option(
      '--url <url>',
      'Base URL of the server, without /oauth2/token. Default: its issuer by MINTMARK_ISSUER, or by MINTMARK_HOST, ' +
        'MINTMARK_PORT and MINTMARK_BASE_PATH: http://localhost:8080/marketing where none is set.',
    )
    .option('--client-id <id>', 'Client id or username. [MINTMARK_CLIENT_ID]')
    .option(
      '--secret-stdin',
      'Read the secret from standard input. Default: the variable MINTMARK_CLIENT_SECRET.',
    )
    .option('--scope <scopes>', 'Space-separated. Left out: all that it may have.')
    .option('--resource <uri>', 'Audience of the token. Left out: the first audience of the API user.')
    .option('--basic', 'Send the credentials by HTTP Basic instead of in the form.')
    .option('--allow-insecure', 'Send the secret by plain HTTP to another machine, too.')
    .option('--json', 'Print the whole response.')
    .addHelpText(
      'after',
      '\nPrints the token alone, for use in $(…).\n\nExample:\n' +
        '  MINTMARK_CLIENT_SECRET=mms_… mintmark token --client-id api_… --scope campaigns:read',
    );
  command.action(async (options: TokenOptions) => {
    const clientId = options.clientId ?? variable(io, 'MINTMARK_CLIENT_ID');
    if (clientId === undefined) return command.error('error: give --client-id, or set MINTMARK_CLIENT_ID.');
    const url = options.url ?? loadConfig(io.env).issuer;
    if (options.allowInsecure !== true) refusePlainHttp(url);
    const fromEnvironment = options.secretStdin === true ? undefined : variable(io, 'MINTMARK_CLIENT_SECRET');
    const secret = fromEnvironment ?? (await readLine(io, 'Secret:'));
    const response = await post(url, options, clientId, secret);
    const body = await bodyOf(response);
    if (options.json === true) io.out(json(body));
    if (!response.ok) throw new AppError('check_failed', refusal(response, body));
    const token = body['access_token'];
    if (typeof token !== 'string') throw new AppError('check_failed', strange(response, 'an access token'));
    if (options.json !== true) io.out(token);
  });
}

/** An environment variable. Throws an AppError if its characters cannot be part of a client id or secret. */
function variable(io: Io, name: string): string | undefined {
  const problem = givenTextProblem(io.env[name] ?? '');
  if (problem === null) return io.env[name];
  throw new AppError('bad_setting', `${name}: the value given is not allowed: it ${problem}`);
}

/** Loopback hosts, as the URL parser spells them. */
const LOOPBACK = /^(localhost|127\.[\d.]+|\[::1\])$/;

/** Throws an AppError if the secret would travel to another machine by plain HTTP, readable on the way. */
function refusePlainHttp(url: string): void {
  const parsed = URL.parse(url);
  if (parsed === null || parsed.protocol !== 'http:' || LOOPBACK.test(parsed.hostname)) return;
  throw new AppError(
    'invalid',
    `${parsed.origin} would get the secret by plain HTTP, which everybody on the way can read: use https, or give ` +
      '--allow-insecure in a network that you trust.',
  );
}

async function post(
  base: string,
  options: TokenOptions,
  clientId: string,
  secret: string,
): Promise<Response> {
  const form = new URLSearchParams({ grant_type: 'client_credentials' });
  const headers: Record<string, string> = {};
  if (options.basic === true) {
    const credentials = `${encodeURIComponent(clientId)}:${encodeURIComponent(secret)}`;
    headers['authorization'] = `Basic ${Buffer.from(credentials).toString('base64')}`;
  } else {
    form.set('client_id', clientId);
    form.set('client_secret', secret);
  }
  if (options.scope !== undefined) form.set('scope', options.scope);
  if (options.resource !== undefined) form.set('resource', options.resource);
  const url = base.replace(/\/+$/, '') + TOKEN_PATH;
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    return await fetch(url, { method: 'POST', body: form, headers, redirect: 'error', signal });
  } catch (error) {
    const cause = (error as Error).cause;
    const detail = cause instanceof Error && cause.message !== '' ? cause.message : (error as Error).message;
    throw new AppError(
      'check_failed',
      `${url} cannot be reached (${detail}): is the server running, and is --url right?`,
    );
  }
}

async function bodyOf(response: Response): Promise<Record<string, unknown>> {
  try {
    return Object(await response.json()) as Record<string, unknown>;
  } catch {
    throw new AppError(
      'check_failed',
      `The server answered ${response.status} with a body that is not JSON: is --url right?`,
    );
  }
}

function refusal(response: Response, body: Record<string, unknown>): string {
  if (typeof body['error'] !== 'string') return strange(response, 'an OAuth error');
  const wait = response.headers.get('retry-after');
  const retry = wait === null ? '' : ` Retry after ${wait} s.`;
  const { error_description: description, trace_id: traceId } = body;
  const detail = typeof description === 'string' ? `: ${escaped(description)}` : '';
  const trace = typeof traceId === 'string' ? ` (trace id ${escaped(traceId)})` : '';
  return `${response.status} ${escaped(body['error'])}${detail}${retry}${trace}`;
}

/** Escapes control characters in a server's text, because a terminal would interpret them. */
function escaped(text: string): string {
  return text.replaceAll(/[\p{Cc}\ufeff\u2028\u2029]/gu, (character) => inQuotes(character).slice(1, -1));
}

function strange(response: Response, missing: string): string {
  return `The server answered ${response.status} without ${missing}: is --url right?`;
}
