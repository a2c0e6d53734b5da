import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A connection to a server that tests can cut. */
export interface TcpProxy extends AsyncDisposable {
  port: number;
  /** Ends all connections and refuses new ones. */
  cut(): void;
  /** Drops all data silently, like a pulled cable. */
  silence(): void;
  /** Holds back the server's answers until `mend`; requests pass. */
  holdAnswers(): void;
  /** Requests since the answers are held back. */
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
    if (mode === 'cut' || mode === 'silent') return; // silent: accepted but never answered
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
      // Connections with dropped data are useless.
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
