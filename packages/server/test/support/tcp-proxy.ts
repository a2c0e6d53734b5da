import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A way to a server that can be cut. */
export interface TcpProxy extends AsyncDisposable {
  port: number;
  /** Ends every connection, and refuses new ones. */
  cut(): void;
  /** Nothing gets through any more, and nobody is told: a cable that is pulled. */
  silence(): void;
  mend(): void;
}

type Mode = 'open' | 'cut' | 'silent';

export async function tcpProxy(target: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let mode: Mode = 'open';

  function forget(socket: Socket): void {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  }

  const server = createServer((caller) => {
    forget(caller);
    if (mode === 'cut') caller.resetAndDestroy();
    if (mode !== 'open') return; // silent: it was accepted, and is never answered
    const callee = connect(target, '127.0.0.1');
    forget(callee);
    for (const [from, to] of [
      [caller, callee],
      [callee, caller],
    ] as const) {
      from.on('data', (bytes) => {
        if (mode !== 'silent') to.write(bytes);
      });
      from.on('close', () => {
        if (mode !== 'silent') to.destroy();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  function endAll(): void {
    for (const socket of sockets) socket.resetAndDestroy();
  }

  return {
    port: (server.address() as AddressInfo).port,
    cut() {
      mode = 'cut';
      endAll();
    },
    silence() {
      mode = 'silent';
    },
    mend() {
      // What was swallowed is missing in between: such a connection is of no use any more.
      if (mode === 'silent') endAll();
      mode = 'open';
    },
    async [Symbol.asyncDispose]() {
      server.close();
      endAll();
      await once(server, 'close');
    },
  };
}
