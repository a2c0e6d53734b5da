// Loaded into a server: makes each of its answers dearer by about three per cent of a token's instructions,
// to show that such a change is seen.
import { ServerResponse } from 'node:http';

const ITERATIONS = 3000;

const { writeHead } = ServerResponse.prototype;
export const work = { sum: 0 };

ServerResponse.prototype.writeHead = function planted(
  this: ServerResponse,
  ...args: Parameters<typeof writeHead>
) {
  let sum = work.sum;
  for (let i = 0; i < ITERATIONS; i++) sum = (sum * 31 + i) | 0;
  work.sum = sum;
  return writeHead.apply(this, args);
} as typeof writeHead;
