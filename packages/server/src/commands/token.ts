import { Option, type Command } from 'commander';
import { givenTextProblem, inQuotes } from '../domain/characters.ts';
import { TOKEN_PATH } from '../http/paths.ts';
import { loadConfig } from '../config/load-config.ts';
import { AppError } from '../domain/app-error.ts';
import { assertionFrom } from './client-assertion.ts';
import { json, readLine, type Io } from './io.ts';
import { readTextFile } from './text-file.ts';

interface TokenOptions {
  url?: string;
  clientId?: string;
  secretStdin?: boolean;
  key?: string;
  audience?: string;
  identityToken?: string;
  scope?: string;
  resource?: string;
  basic?: boolean;
  allowInsecure?: boolean;
  json?: boolean;
}

const TIMEOUT_MS = 10_000;
/** RFC 7523 §2.2. */
const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

export function tokenCommand(program: Command, io: Io): void {
  const command = program
    .command('token')
    .description('Ask a server for an access token, as a client would.');
  command
    .option(
      '--url <url>',
      'Base URL of the server, without /oauth2/token. Default: its issuer by MINTMARK_ISSUER, or by MINTMARK_HOST, ' +
        'MINTMARK_PORT and MINTMARK_BASE_PATH; http://localhost:8080/marketing if none is set.',
    )
    .option('--client-id <id>', 'Client id or username. [MINTMARK_CLIENT_ID]')
    .option(
      '--secret-stdin',
      'Read the secret from standard input. Default: the variable MINTMARK_CLIENT_SECRET.',
    )
    .addOption(
      new Option(
        '--key <file>',
        'Instead of a secret, prove the API user by its private key (PEM or JWK). [MINTMARK_CLIENT_KEY_FILE]',
      ).conflicts(['secretStdin', 'basic', 'identityToken']),
    )
    .option('--audience <issuer>', 'With --key: the issuer of the server. Default: the base URL.')
    .addOption(
      new Option(
        '--identity-token <file>',
        'Instead of a secret, send the token that another issuer gave to this workload. ' +
          '[MINTMARK_IDENTITY_TOKEN_FILE]',
      ).conflicts(['secretStdin', 'basic']),
    )
    .option('--scope <scopes>', 'Space-separated. Default: all scopes of the API user.')
    .option('--resource <uri>', 'Audience of the token. Default: the first audience of the API user.')
    .option('--basic', 'Send the credentials by HTTP Basic instead of in the form.')
    .option('--allow-insecure', 'Send the credentials by plain HTTP to another machine, too.')
    .option('--json', 'Print the whole response.')
    .addHelpText(
      'after',
      '\nPrints the token alone, for use in $(…).\n\nExamples:\n' +
        '  MINTMARK_CLIENT_SECRET=mms_… mintmark token --client-id api_… --scope campaigns:read\n' +
        '  mintmark token --client-id api_… --key importer.pem\n' +
        '  mintmark token --client-id api_… --identity-token /var/run/secrets/tokens/mintmark',
    );
  command.action(async (options: TokenOptions) => {
    const clientId = options.clientId ?? variable(io, 'MINTMARK_CLIENT_ID');
    if (clientId === undefined) return command.error('error: give --client-id, or set MINTMARK_CLIENT_ID.');
    const url = options.url ?? loadConfig(io.env).issuer;
    if (options.allowInsecure !== true) refusePlainHttp(url);
    const assertion = assertionOf(io, options, { clientId, url });
    const proof = assertion === null ? { secret: await secretOf(io, options) } : { assertion };
    const response = await post(url, options, clientId, proof);
    const body = await bodyOf(response);
    if (options.json === true) io.out(json(body));
    if (!response.ok) throw new AppError('check_failed', refusal(response, body));
    const token = body['access_token'];
    if (typeof token !== 'string') throw new AppError('check_failed', strange(response, 'an access token'));
    if (options.json !== true) io.out(token);
  });
}

/** What proves the API user. */
type Proof = { secret: string } | { assertion: string };

/** The assertion that the options or the environment name; null if they name a secret. */
function assertionOf(
  io: Io,
  options: TokenOptions,
  { clientId, url }: { clientId: string; url: string },
): string | null {
  const wantsSecret =
    options.secretStdin === true ||
    options.basic === true ||
    variable(io, 'MINTMARK_CLIENT_SECRET') !== undefined;
  const named = (name: string) => (wantsSecret ? undefined : variable(io, name));
  const ownKey = options.identityToken === undefined ? named('MINTMARK_CLIENT_KEY_FILE') : undefined;
  const key = options.key ?? ownKey;
  if (key !== undefined) {
    return assertionFrom(key, clientId, options.audience ?? url.replace(/\/+$/, ''), Date.now());
  }
  const identityToken = options.identityToken ?? named('MINTMARK_IDENTITY_TOKEN_FILE');
  return identityToken === undefined ? null : readTextFile(identityToken).trim();
}

async function secretOf(io: Io, options: TokenOptions): Promise<string> {
  const fromEnvironment = options.secretStdin === true ? undefined : variable(io, 'MINTMARK_CLIENT_SECRET');
  return fromEnvironment ?? (await readLine(io, 'Secret:'));
}

/** An environment variable. Throws an AppError if its characters cannot be part of a client id or secret. */
function variable(io: Io, name: string): string | undefined {
  const problem = givenTextProblem(io.env[name] ?? '');
  if (problem === null) return io.env[name];
  throw new AppError('bad_setting', `${name}: the value given is not allowed: it ${problem}`);
}

/** Loopback hosts, as the URL parser spells them. */
const LOOPBACK = /^(localhost|127\.[\d.]+|\[::1\])$/;

/** Throws an AppError if the credentials would travel to another machine by plain HTTP. */
function refusePlainHttp(url: string): void {
  const parsed = URL.parse(url);
  if (parsed === null || parsed.protocol !== 'http:' || LOOPBACK.test(parsed.hostname)) return;
  throw new AppError(
    'invalid',
    `${parsed.origin} would get the credentials by plain HTTP, which anyone on the network can read: use https, or give ` +
      '--allow-insecure in a network that you trust.',
  );
}

async function post(base: string, options: TokenOptions, clientId: string, proof: Proof): Promise<Response> {
  const form = new URLSearchParams({ grant_type: 'client_credentials' });
  const headers: Record<string, string> = {};
  if ('assertion' in proof) {
    form.set('client_id', clientId);
    form.set('client_assertion_type', JWT_BEARER);
    form.set('client_assertion', proof.assertion);
  } else if (options.basic === true) {
    const credentials = `${encodeURIComponent(clientId)}:${encodeURIComponent(proof.secret)}`;
    headers['authorization'] = `Basic ${Buffer.from(credentials).toString('base64')}`;
  } else {
    form.set('client_id', clientId);
    form.set('client_secret', proof.secret);
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
