import { closedObject } from './schema.ts';
import type { ServerResponse } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import Type from 'typebox';
import type { Live, LiveEvent } from '../../runtime/usage/live-events.ts';
import type { AdminContext } from './context.ts';
import type { Gate } from './gate.ts';
import { eventJson, ratesJson } from './event.wire.ts';
import { actorOf, type AdminApp } from './admin-app.ts';
import { Problem, SECURITY_HEADERS, tooMany } from './problem.ts';
import { retryAfter } from '../rate-limit-headers.ts';

/** The stream sends a comment at this interval, so that proxies keep the connection open. */
const HEARTBEAT_MS = 15_000;
/** The gate checks the caller's rights at this interval. An ended session or a lost role ends the stream. */
const CHECK_MS = 1000;
/** Bytes that may wait for a slow reader. More than this cuts its connection. Five minutes of history fit. */
const WAITING_BYTES_MAX = 262_144;
/** How long a browser waits before it reconnects. */
const RETRY_MS = 2000;
const FULL_RETRY_MS = 5000;

/** `GET /events`: server-sent events (WHATWG HTML §9.2). */
export function eventsRoute(app: AdminApp, { live }: Pick<AdminContext, 'live'>, gate: Gate): void {
  app.get(
    '/events',
    {
      config: { needs: 'read' },
      schema: {
        operationId: 'followEvents',
        summary:
          'A stream of events (text/event-stream): first `history` {seconds: rates of up to five minutes before}; `change` {noun, id}; each second `rates` {at, tokens, refusals, p50_ms, ' +
          'p99_ms} of this process; of the API user in `client_id` also `use` {credential_id, at, address, count} and ' +
          '`refusal` {reason, at, count}; `end` {code} before it ends for good.',
        tags: ['Usage'],
        querystring: closedObject({
          client_id: Type.Optional(
            Type.String({
              minLength: 1,
              maxLength: 256,
              description: 'Tell the uses of this API user, too',
            }),
          ),
        }),
        response: {
          200: {
            description: 'Events, until either side ends it',
            content: { 'text/event-stream': { schema: Type.String() } },
          },
        },
      },
    },
    async (request, reply) => {
      const refusedBy = stream(request, reply, { live, gate, clientId: request.query.client_id ?? null });
      if (refusedBy === 'viewer has enough') {
        throw tooMany('You have too many streams of events open: close one of their pages.', FULL_RETRY_MS);
      }
      if (refusedBy === 'full') {
        throw new Problem('unavailable', 'Too many streams of events are open, or the server stops.', {
          headers: retryAfter(FULL_RETRY_MS),
        });
      }
    },
  );
}

/** Starts the stream and returns null, or returns the bound that refuses it. */
function stream(
  request: FastifyRequest,
  reply: FastifyReply,
  { live, gate, clientId }: { live: Pick<Live, 'watch'>; gate: Gate; clientId: string | null },
): 'full' | 'viewer has enough' | null {
  const response = reply.raw;
  const end = (code: string) => {
    send(response, `event: end\ndata: ${JSON.stringify({ code })}\n\n`);
    response.end();
  };
  const { kind, id } = actorOf(request);
  const watch = live.watch({
    viewer: `${kind} ${id}`,
    clientId,
    tell: (event) => send(response, text(event)),
    ended: () => end('stopping'),
  });
  if (typeof watch === 'string') return watch;
  reply.hijack();
  response.writeHead(200, [
    ...SECURITY_HEADERS,
    'Content-Type',
    'text/event-stream',
    'X-Request-Id',
    request.id,
    'X-Accel-Buffering',
    'no',
    'Connection',
    'close',
  ]);
  send(response, `retry: ${RETRY_MS}\n\n`);
  const seconds = watch.past.map(ratesJson);
  send(response, `event: history\ndata: ${JSON.stringify({ seconds })}\n\n`);
  const heartbeat = setInterval(() => send(response, ': still here\n\n'), HEARTBEAT_MS);
  const check = setInterval(() => {
    gate(request, 'read').catch((error: unknown) => {
      // An unreachable store proves nothing about the session, and the stream sends only data in memory.
      if (error instanceof Problem && !response.writableEnded) end(error.code);
    });
  }, CHECK_MS);
  const stop = () => {
    clearInterval(heartbeat);
    clearInterval(check);
    watch.stop();
  };
  // If the client left while the gate checked it, `close` fired before this listener existed.
  if (response.destroyed) stop();
  else response.on('close', stop);
  return null;
}

/** Cuts the connection of a reader that is too slow. It can reconnect later. */
function send(response: ServerResponse, message: string): void {
  if (response.writableEnded || response.destroyed) return;
  if (response.writableLength > WAITING_BYTES_MAX) response.destroy();
  else response.write(message);
}

function text(event: LiveEvent): string {
  return `event: ${event.event}\ndata: ${JSON.stringify(eventJson(event))}\n\n`;
}
