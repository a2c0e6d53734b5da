import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiCall } from './observation.ts';

/** The API keeps this many calls. More only count for the limits of the scenario. */
const CALLS_MAX = 10_000;
const HOST = '127.0.0.1';

export interface ProtectedApiOptions {
  /** Whether the issuer calls the token active. */
  isActive(token: string): Promise<boolean>;
  /** The wait before each answer, in milliseconds. */
  holdMs: number;
  event: ApiEvent | undefined;
}

/** A change of the server in the midst of the calls. */
export interface ApiEvent {
  /** It happens before the check of the call with this number. This call and later ones wait for it. */
  atCall: number;
  /** The event waits for this long, so that parallel calls arrive with the same token. */
  gatherMs: number;
  run(token: string): Promise<void>;
}

/** An API that accepts every request with an active token. */
export interface ProtectedApi extends AsyncDisposable {
  url: string;
  calls: readonly ApiCall[];
  callsAtOnceMax(): number;
  eventAtMs(): number | null;
  /** Throws if the API failed to check a call. */
  assertSound(): void;
}

export async function startProtectedApi(options: ProtectedApiOptions): Promise<ProtectedApi> {
  const { isActive, holdMs, event } = options;
  const calls: ApiCall[] = [];
  let failure: unknown;
  let arrived = 0;
  let callsAtOnce = 0;
  let callsAtOnceMax = 0;
  let eventAtMs: number | null = null;
  let happened: Promise<void> | undefined;

  async function happen({ gatherMs, run }: ApiEvent, token: string): Promise<void> {
    await sleep(gatherMs);
    eventAtMs = Date.now();
    await run(token);
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const atMs = Date.now();
    const number = (arrived += 1);
    const [, token] = /^bearer +(\S+)$/i.exec(request.headers.authorization ?? '') ?? [];
    if (event !== undefined && token !== undefined && number >= event.atCall)
      await (happened ??= happen(event, token));
    const isAccepted = token !== undefined && (await isActive(token));
    if (calls.length < CALLS_MAX) calls.push({ atMs, answer: isAccepted ? 'accepted' : 'refused' });
    await sleep(holdMs);
    respond(response, isAccepted, token !== undefined);
  }

  const server = createServer((request, response) => {
    callsAtOnce += 1;
    callsAtOnceMax = Math.max(callsAtOnceMax, callsAtOnce);
    response.once('close', () => void (callsAtOnce -= 1));
    request.resume();
    answer(request, response).catch((error: unknown) => {
      failure ??= error;
      response.writeHead(500).end();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, HOST, () => resolve());
  });
  return {
    url: `http://${HOST}:${(server.address() as AddressInfo).port}/v1/portfolio`,
    calls,
    callsAtOnceMax: () => callsAtOnceMax,
    eventAtMs: () => eventAtMs,
    assertSound() {
      if (failure !== undefined) throw failure;
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** As APIs of the platform answer: RFC 6750 §3, and the envelope of errors. */
function respond(response: ServerResponse, isAccepted: boolean, hasToken: boolean): void {
  if (isAccepted) {
    response.writeHead(200, { 'Content-Type': 'application/json' }).end('{"data":[]}\n');
    return;
  }
  const code = hasToken ? 'authorization-token-invalid' : 'authorization-token-missing';
  const challenge = hasToken ? 'Bearer error="invalid_token"' : 'Bearer';
  response
    .writeHead(401, { 'Content-Type': 'application/json', 'WWW-Authenticate': challenge })
    .end(JSON.stringify({ errors: [{ type: 'authorization', code }], warnings: [] }));
}
