// What an organisation with eight static claims costs: CPU of a token against one without, both of the same
// server in bursts that take turns, and bytes of memory for each API user.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { newOrganisation, userOf } from '@mintmark/test-support/organisation-store';
import { loadConfig } from '../packages/server/src/config/load-config.ts';
import { openStore } from '../packages/server/src/store-files/open.ts';
import { compare, CONNECTIONS, startMintmark, type Peer } from './peer.ts';
import { quantile, ratioRow, RATIO_HEAD, verdicts } from './ratios.ts';
import { table } from './table.ts';

/** Servers are started this many times: two processes of the same code differ, too. */
const STARTS = 5;
const ROUNDS = 40;
const API_USERS = 500_000;
const MEMBERS = 100;
const CPU_RATIO_MAX = 1.03;
const BYTES_MAX = 430;

const CLAIMS = {
  tier: 'gold',
  region: 'eu-west-1',
  seats: 25,
  beta: true,
  partner: 'agency-0042',
  markets: ['DE', 'FR', 'IT'],
  limits: { daily: 100_000, hourly: 5000 },
  contract: 'C-2026-118',
};

/** Prints tables; resolves to false if a target is missed. */
export async function run(): Promise<boolean> {
  const ratios: number[] = [];
  const rows: string[][] = [];
  for (let start = 0; start < STARTS; start++) {
    console.log(`load average: ${loadavg()[0]?.toFixed(1)}`);
    const folder = mkdtempSync(join(tmpdir(), 'mintmark-bench-'));
    try {
      const [without, withClaims] = await costs(folder);
      ratios.push(withClaims / without);
      rows.push([String(start + 1), without.toFixed(1), withClaims.toFixed(1)]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  console.log(`\n${table([['start', 'CPU µs without', 'with organisation and 8 claims'], ...rows])}`);
  console.log(
    `\n${table([RATIO_HEAD, ratioRow('token with organisation and 8 claims, against without', ratios)])}`,
  );
  const bytes = { without: held(1), organisation: held(MEMBERS) };
  console.log(
    `\n${table([
      ['bytes of an API user', ''],
      ['without an organisation', String(bytes.without)],
      [`in organisations of ${MEMBERS}, with 8 claims`, String(bytes.organisation)],
    ])}`,
  );
  return verdicts([
    ['CPU of a token with organisation and 8 claims, against without', quantile(ratios, 0.5), CPU_RATIO_MAX],
    [`bytes of an API user in organisations of ${MEMBERS}`, bytes.organisation, BYTES_MAX],
  ]);
}

/** CPU microseconds of a token: without and with an organisation and claims. */
async function costs(dataDir: string): Promise<[number, number]> {
  const { store } = await openStore(loadConfig({ MINTMARK_DATA_DIR: dataDir }), { watch: false });
  const { id } = await newOrganisation(store, { claims: CLAIMS, policy: { apiUserLimitMax: null } });
  const users = [
    await userOf(store, null, { limitPerMinute: 1_000_000 }),
    await userOf(store, id, { limitPerMinute: 1_000_000 }),
  ];
  await store.close();
  const server = await startMintmark('', dataDir, 0);
  try {
    const peers = users.map(({ clientId, secret }): Peer => {
      const credentials = { clientId, clientSecret: secret, apiUsers: 1, connections: CONNECTIONS };
      return { ...server, name: clientId, options: { ...server.options, ...credentials } };
    });
    const [without, withClaims] = await compare(peers, ROUNDS);
    return [without?.cpuMicros ?? Number.NaN, withClaims?.cpuMicros ?? Number.NaN];
  } finally {
    server.process.kill('SIGKILL');
  }
}

/** `members`: API users of each organisation; 1: they have no organisation. */
function held(members: number): number {
  const script = fileURLToPath(new URL('./claims-held.ts', import.meta.url));
  const args = [script, String(API_USERS), String(members), JSON.stringify(CLAIMS)];
  const { stdout, status } = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (status !== 0) throw new Error(`It ended with ${status}.`);
  return Number(stdout);
}
