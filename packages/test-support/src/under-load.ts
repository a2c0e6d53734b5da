import assert from 'node:assert/strict';
import { balancer } from './balancer.ts';
import { eventually } from './eventually.ts';
import type { TestServer } from './server.ts';
import { steadyClients } from './steady-clients.ts';
import type { MadeApiUser } from './store.ts';

const CLIENTS = 6;

export interface UnderLoad extends AsyncDisposable {
  /** Resolves after a hundred more tokens. */
  more(): Promise<void>;
  lapP99Ms(): number;
  /** Fails after a refusal or a broken connection. */
  stop(): Promise<{ issued: number; afterMs: number }>;
}

/** Callers behind a load balancer, until stopped. */
export async function underLoad(
  nodes: readonly TestServer[],
  { client_id, client_secret }: MadeApiUser,
): Promise<UnderLoad> {
  const balance = balancer(nodes.map(({ port }) => port));
  const form = new URLSearchParams({ client_id, client_secret }).toString();
  const clients = steadyClients(balance, form, CLIENTS);
  const more = async () => {
    const soFar = clients.issued();
    await eventually(() => clients.issued() > soFar + 100, 20_000, 'tokens are issued');
  };
  const end = async () => {
    await clients.stop();
    await balance.stop();
  };
  try {
    await more();
  } catch (error) {
    await end();
    throw error;
  }
  return {
    more,
    [Symbol.asyncDispose]: end,
    lapP99Ms: clients.lapP99Ms,
    async stop() {
      clients.lapP99Ms();
      await more();
      const afterMs = clients.lapP99Ms();
      const { issued, refused, broken, notConnected } = await clients.stop();
      await balance.stop();
      assert.deepEqual({ refused, broken, notConnected }, { refused: [], broken: 0, notConnected: 0 });
      return { issued, afterMs };
    },
  };
}
