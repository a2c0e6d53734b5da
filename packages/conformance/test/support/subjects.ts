import { runChecks, type CheckResult } from '../../src/index.ts';
import { startMintmark } from './mintmark.ts';
import { startNodeOauth2Server } from './node-oauth2-server.ts';
import { startOidcProvider } from './oidc-provider.ts';
import type { Subject } from './subject.ts';

/** A column of docs/conformance.md. */
export interface Column {
  name: string;
  version: string;
  results: readonly CheckResult[];
}

const STARTS: readonly (() => Promise<Subject>)[] = [
  startMintmark,
  async () => await startOidcProvider('jwt'),
  async () => await startOidcProvider('opaque'),
  startNodeOauth2Server,
];

/** Starts each server, and runs all checks against it. */
export async function checkSubjects(): Promise<Column[]> {
  return await Promise.all(
    STARTS.map(async (start) => {
      const subject = await start();
      try {
        const { name, version, target, deviations } = subject;
        return { name, version, results: await runChecks(target, { deviations }) };
      } finally {
        await subject[Symbol.asyncDispose]();
      }
    }),
  );
}
