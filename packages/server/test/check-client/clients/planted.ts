// A program that does all that `mintmark check-client` asks for, except for the fault that its argument names.
import { setTimeout as sleep } from 'node:timers/promises';
import { makeCalls, variable } from './calls.ts';

const [, , fault = 'none'] = process.argv;
const MARGIN_MS = 2000;

interface Token {
  text: string;
  renewAt: number;
}

async function requestToken(): Promise<Token> {
  const body = new URLSearchParams({
    client_id: variable('MINTMARK_CLIENT_ID'),
    client_secret: variable('MINTMARK_CLIENT_SECRET'),
  });
  for (;;) {
    const response = await fetch(variable('MINTMARK_TOKEN_URL'), { method: 'POST', body });
    const answer = (await response.json()) as { access_token: string; expires_in: number };
    if (fault === 'prints the answer') process.stdout.write(`${JSON.stringify(answer)}\n`);
    if (response.ok) {
      const renewAt =
        fault === 'ignores the expiry' ? Infinity : Date.now() + answer.expires_in * 1000 - MARGIN_MS;
      return { text: answer.access_token, renewAt };
    }
    const again = response.status === 429 || response.status === 503;
    if (fault === 'ignores the status') return { text: 'undefined', renewAt: Infinity };
    if (!(again && fault !== 'gives up') && fault !== 'insists')
      throw new Error(`The answer is ${response.status}.`);
    const seconds = fault === 'ignores Retry-After' ? 0 : Number(response.headers.get('retry-after'));
    await sleep(again ? seconds * 1000 : 10);
  }
}

let token: Promise<Token> | undefined;

async function currentToken(): Promise<Token> {
  if (fault === 'no cache') return await requestToken();
  if (fault === 'no shared request' && token === undefined) {
    const own = await requestToken();
    token = Promise.resolve(own);
    return own;
  }
  token ??= requestToken();
  const current = await token;
  if (Date.now() < current.renewAt) return current;
  token = requestToken();
  return await token;
}

async function call(url: string): Promise<Response> {
  const used = await currentToken();
  const response = await send(url, used);
  if (response.status !== 401 || fault === 'ignores the 401') return response;
  // Another call may have replaced the refused token already.
  if (fault === 'renews for each call' || (await token) === used) token = requestToken();
  if (fault === 'does not repeat the call') return new Response('lost');
  return await send(url, fault === 'repeats with the old token' ? used : await currentToken());
}

async function send(url: string, { text }: Token): Promise<Response> {
  return await fetch(url, { headers: { authorization: `Bearer ${text}` } });
}

if (fault === 'prints the secret') process.stderr.write(`secret: ${variable('MINTMARK_CLIENT_SECRET')}\n`);
if (fault === 'prints the Basic header') {
  const pair = `${variable('MINTMARK_CLIENT_ID')}:${variable('MINTMARK_CLIENT_SECRET')}`;
  process.stdout.write(`Authorization: Basic ${Buffer.from(pair).toString('base64')}\n`);
}
if (fault === 'never calls') process.exit(0);
if (fault === 'never ends') setInterval(() => {}, 1000);
try {
  await makeCalls(call);
} catch (error) {
  process.stderr.write(`${String(error)}\n`);
  process.exitCode = fault === 'hides the failure' ? 0 : 1;
}
