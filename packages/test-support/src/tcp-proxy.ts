import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A way to a server that can be cut. */
export interface TcpProxy extends AsyncDisposable {
  port: number;
  /** Ends every connection, and refuses new ones. */
  cut(): void;
  /** Nothing gets through any more, and nobody is told: a cable that is pulled. */
  silence(): void;
  /** What the server says is kept back until it is mended; what it is told gets through. */
  holdAnswers(): void;
  /** What the server was told since its answers are held back. */
  told(): string;
  mend(): void;
}

type Mode = 'open' | 'cut' | 'silent' | 'holding';

export async function tcpProxy(target: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  const held: (() => void)[] = [];
  let mode: Mode = 'open';
  let told = '';

  function forget(socket: Socket): void {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  }

  const server = createServer((caller) => {
    forget(caller);
    if (mode === 'cut') caller.resetAndDestroy();
    if (mode === 'cut' || mode === 'silent') return; // silent: it was accepted, and is never answered
    const callee = connect(target, '127.0.0.1');
    forget(callee);
    for (const [from, to] of [
      [caller, callee],
      [callee, caller],
    ] as const) {
      from.on('data', (bytes) => {
        if (mode === 'holding' && from === caller) told += bytes.toString('latin1');
        if (mode === 'holding' && from === callee) held.push(() => to.write(bytes));
        else if (mode !== 'silent') to.write(bytes);
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
    holdAnswers() {
      told = '';
      mode = 'holding';
    },
    told: () => told,
    mend() {
      for (const pass of held.splice(0)) pass();
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
