import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import fastify, { type FastifyInstance } from 'fastify';
import type { AdminApp, SchemaTypes } from '../../../http/admin/admin-app.ts';
import { onlyJson } from '../../../http/admin/prepare-api.ts';
import { Problem, problemOf, replyWithProblem, SECURITY_HEADERS } from '../../../http/admin/problem.ts';
import { lazyCompilers } from '../../../http/lazy-compilers.ts';
import { traceIdOf } from '../../../http/trace.ts';
import { AppError } from '../../../domain/app-error.ts';
import { InvalidInput } from '../span.ts';
import { apiUserRoutes } from './api-user.routes.ts';
import type { CurrentSandbox } from './current-sandbox.ts';
import { clockRoutes } from './clock.routes.ts';
import { faultRoutes } from './fault.routes.ts';
import { refusePages } from './gate.ts';
import { journalRoutes } from './journal.routes.ts';
import { CONTROL_PATH, controlDocument } from './openapi.ts';
import { sandboxRoutes } from './sandbox.routes.ts';

/** The HTTP API that controls a sandbox. */
export interface ControlServer {
  /** `http://127.0.0.1:PORT/v1`. */
  url: string;
  stop(): Promise<void>;
}

const HOST = '127.0.0.1';
const BODY_BYTES_MAX = 65_536;
const CONNECTIONS_MAX = 100;
/** A request that has not arrived whole after this time is refused. */
const REQUEST_TIMEOUT_MS = 10_000;

/** Listens on loopback only. `port` 0: any free one. */
export async function startControlServer(sandbox: CurrentSandbox, port: number): Promise<ControlServer> {
  const app = fastify({
    bodyLimit: BODY_BYTES_MAX,
    forceCloseConnections: true,
    frameworkErrors: (_error, _request, reply) => void replyWithProblem(reply, nothingHere()),
    genReqId: (request: IncomingMessage) => traceIdOf(request.headers['traceparent']),
    pluginTimeout: 0, // as in http/app.ts
    requestTimeout: REQUEST_TIMEOUT_MS,
    schemaController: { compilersFactory: lazyCompilers() },
  });
  app.server.maxConnections = CONNECTIONS_MAX;
  const portOf = () => (app.server.address() as AddressInfo).port;
  const url = () => `http://${HOST}:${portOf()}${CONTROL_PATH}`;
  app.addHook('onRequest', async (request, reply) => {
    reply.header('X-Request-Id', request.id);
    for (let i = 0; i < SECURITY_HEADERS.length; i += 2)
      reply.header(SECURITY_HEADERS[i] as string, SECURITY_HEADERS[i + 1]);
    refusePages(request.headers, portOf());
  });
  app.setNotFoundHandler((_request, reply) => replyWithProblem(reply, nothingHere()));
  app.setErrorHandler((error: Error, _request, reply) => {
    const problem = error instanceof InvalidInput ? new Problem('invalid', error.message) : problemOf(error);
    return replyWithProblem(reply, problem);
  });
  const routes = async (plain: FastifyInstance) => {
    const typed: AdminApp = plain.withTypeProvider<SchemaTypes>();
    onlyJson(typed);
    await controlDocument(typed, url);
    sandboxRoutes(typed, sandbox, url);
    apiUserRoutes(typed, sandbox);
    clockRoutes(typed, sandbox);
    faultRoutes(typed, sandbox);
    journalRoutes(typed, sandbox);
  };
  await app.register(routes, { prefix: CONTROL_PATH });
  try {
    await app.listen({ host: HOST, port });
  } catch (error) {
    await app.close();
    throw listenError(error as NodeJS.ErrnoException, port);
  }
  return { url: url(), stop: async () => await app.close() };
}

function nothingHere(): Problem {
  return new Problem('not_found', `There is nothing at this path: ${CONTROL_PATH}/openapi.json lists all.`);
}

function listenError(error: NodeJS.ErrnoException, port: number): Error {
  if (error.code !== 'EADDRINUSE' && error.code !== 'EACCES') return error;
  return new AppError(
    'conflict',
    `The port ${port} for the control API is in use or not allowed: choose another with --control-port.`,
  );
}
