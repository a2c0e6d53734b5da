// The CPU time of a verification of a signature and nothing else, in slices. Each line of standard input is an
// algorithm, and the result is a line with the microseconds of one. Runs as its own process.
import { generateKeyPairSync, sign } from 'node:crypto';
import { createInterface } from 'node:readline';
import { ASSERTION_FACTS } from '../packages/server/src/domain/assertion-algorithm.ts';

const VERIFICATIONS = 400;
/** As long as the signed part of an assertion. */
const TEXT = Buffer.alloc(330, 'a');
const pairs = {
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
};
const signatures = {
  ES256: sign('sha256', TEXT, { key: pairs.ES256.privateKey, dsaEncoding: 'ieee-p1363' }),
  RS256: sign('sha256', TEXT, pairs.RS256.privateKey),
};

for await (const line of createInterface({ input: process.stdin })) {
  const algorithm = line as keyof typeof pairs;
  const { publicKey } = pairs[algorithm];
  const before = process.cpuUsage();
  for (let i = 0; i < VERIFICATIONS; i++) {
    if (!ASSERTION_FACTS[algorithm].verify(TEXT, publicKey, signatures[algorithm]))
      throw new Error('A signature is wrong.');
  }
  const { user, system } = process.cpuUsage(before);
  console.log(String((user + system) / VERIFICATIONS));
}
