// A thread: an issuer with a revocation list of the requested length. Each message creates a new list.
import { parentPort, workerData } from 'node:worker_threads';
import { revocationBody, startIssuer } from '../packages/verifier/test/support/issuer.ts';

const entries = workerData as number;
const issuer = await startIssuer();

/** Half of the entries are tokens, half are API users. */
function list(round: number): Buffer {
  const ids = (kind: string) => Array.from({ length: entries / 2 }, (_, i) => `${kind}-${round}-${i}`);
  const before = Math.floor(issuer.nowMs / 1000);
  return revocationBody(ids('token'), Object.fromEntries(ids('user').map((id) => [id, before])));
}

let rounds = 0;
const publish = () => {
  issuer.revocations = { body: list(rounds) };
  rounds += 1;
};
publish();
parentPort?.on('message', () => {
  publish();
  parentPort?.postMessage('published');
});
parentPort?.postMessage({
  url: issuer.url,
  bytes: issuer.revocations?.body.length,
  revoked: issuer.token({ jti: 'token-0-7' }),
  cutOff: issuer.token({ client_id: 'user-0-7', iat: Math.floor(issuer.nowMs / 1000) - 1 }),
  good: issuer.token(),
});
