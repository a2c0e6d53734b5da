import type { Finding } from './finding.ts';
import { existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { clockDifferences, differenceText } from '../runtime/clock-differences.ts';
import { CLOCK_NOTICE_MS } from '../runtime/clock-watch.ts';
import { SETTINGS, type Config } from '../config/config.ts';
import { describeDatabase } from '../config/database-url.ts';
import { keySourceFindings } from './key-sources.ts';
import { redisFindings } from './redis.ts';
import { loadConfig } from '../config/load-config.ts';
import { rotationIsDue, signingKeyState } from '../domain/signing-key.ts';
import { openMigratedStore } from '../store-files/open.ts';
import { readMasterKey, type MasterKey } from '../storage/master-key.ts';
import { UNIT_MS } from '../domain/usage.ts';
import { privateKeyOf, readProvenKeys } from '../storage/signing-key-proof.ts';
import type { SealedSigningKey } from '../storage/tables/signing-key.ts';
import type { Store } from '../storage/store.ts';
import type { UnreadableAddress } from '../runtime/unreadable-addresses.ts';

type Flags = Readonly<Record<string, unknown>>;
type Env = Readonly<Record<string, string | undefined>>;

/** The variables that `mintmark token` reads. */
const CLIENT_VARIABLES = ['MINTMARK_CLIENT_ID', 'MINTMARK_CLIENT_SECRET'];

const NODE_MIN: readonly [number, number] = [24, 7];

/**
 * Checks everything that a server needs, and changes no data. A failed check skips those that depend on it.
 */
export async function diagnose(flags: Flags, env: Env): Promise<Finding[]> {
  const findings: Finding[] = [runtime()];
  const config = configuration(flags, env, findings);
  if (config === null) return findings;
  findings.push(...fileModes(config), ...(await redisFindings(config)));
  const store = await openedStore(config, findings);
  if (store === null) return findings;
  try {
    const masterKey = await masterKeyFinding(store, config, findings);
    findings.push(...(await signingKeys(store, masterKey, config)), await clock(store, config));
    findings.push(
      ...(await clocksOfProcesses(store)),
      ...(await nameConflicts(store)),
      ...(await unreadableAddresses(store)),
      ...(await keySourceFindings(store, config)),
    );
  } catch (error) {
    findings.push({ what: 'store', state: 'fail', detail: (error as Error).message });
  } finally {
    await store.close();
  }
  return findings;
}

function runtime(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const recent = major > NODE_MIN[0] || (major === NODE_MIN[0] && minor >= NODE_MIN[1]);
  if (recent) return { what: 'runtime', state: 'ok', detail: `Node ${process.version}` };
  const mend = `use Node ${NODE_MIN.join('.')} or later: npm start in a clone brings its own`;
  return { what: 'runtime', state: 'fail', detail: `Node ${process.version}`, mend };
}

function configuration(flags: Flags, env: Env, findings: Finding[]): Config | null {
  try {
    const flagValues = Object.entries(flags).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string',
    );
    const config = loadConfig(env, Object.fromEntries(flagValues));
    findings.push({ what: 'configuration', state: 'ok', detail: `issuer ${config.issuer}` });
    findings.push(...strangeNames(env));
    return config;
  } catch (error) {
    const mend = 'mintmark serve --help lists every setting';
    findings.push({ what: 'configuration', state: 'fail', detail: (error as Error).message, mend });
    return null;
  }
}

/** Variables that start with MINTMARK_ but name no setting: probably typos. Nothing else reports them. */
function strangeNames(env: Env): Finding[] {
  const variables = new Set([...Object.values(SETTINGS).map((setting) => setting.env), ...CLIENT_VARIABLES]);
  const strange = Object.keys(env).filter((name) => name.startsWith('MINTMARK_') && !variables.has(name));
  const mend = 'mintmark serve --help lists every setting';
  return strange.map((name) => ({
    what: 'configuration',
    state: 'warn',
    detail: `${name} is no setting`,
    mend,
  }));
}

function fileModes(config: Config): Finding[] {
  const { databaseUrl, masterKeyFile } = config;
  const exposed = databaseUrl.kind === 'sqlite' ? exposedFiles(databaseUrl.path) : [];
  const bad = isOpen(masterKeyFile, 0o077) ? [...exposed, masterKeyFile] : exposed;
  if (process.platform === 'win32' || bad.length === 0) {
    return [{ what: 'files', state: 'ok', detail: 'readable by their owner only' }];
  }
  return bad.map((file) => ({
    what: 'files',
    state: file === config.masterKeyFile ? 'fail' : 'warn',
    detail: `${file} can be read by other users of this machine`,
    mend: `chmod go= ${file}`,
  }));
}

/** If only the owner can enter the folder, the store file is safe with any mode. */
function exposedFiles(path: string): string[] {
  const folder = dirname(path);
  if (existsSync(folder) && !isOpen(folder, 0o077)) return [];
  return [...(isOpen(folder, 0o007) ? [folder] : []), ...(isOpen(path, 0o077) ? [path] : [])];
}

function isOpen(file: string, mode: number): boolean {
  return existsSync(file) && (statSync(file).mode & mode) !== 0;
}

async function openedStore(config: Config, findings: Finding[]): Promise<Store | null> {
  const path = describeDatabase(config.databaseUrl);
  let store: Store | undefined;
  try {
    store = await openMigratedStore(config);
    const damage = await store.damage();
    const { about, risks } = await store.facts();
    findings.push(
      damage === null
        ? { what: 'store', state: 'ok', detail: `${path}, ${about}, migrated, undamaged` }
        : { what: 'store', state: 'fail', detail: `${path}: ${damage}`, mend: 'restore the last backup' },
    );
    for (const risk of risks) findings.push({ what: 'store', state: 'warn', ...risk });
    return store;
  } catch (error) {
    await store?.close();
    findings.push({ what: 'store', state: 'fail', detail: (error as Error).message });
    return null;
  }
}

async function masterKeyFinding(
  store: Store,
  config: Config,
  findings: Finding[],
): Promise<MasterKey | null> {
  const check = await store.meta.get('master_key_check');
  const source = config.masterKey === null ? config.masterKeyFile : 'MINTMARK_MASTER_KEY';
  const what = 'master key';
  let key: MasterKey | null = null;
  try {
    key = readMasterKey(config);
  } catch (error) {
    findings.push({ what, state: 'fail', detail: (error as Error).message });
    return null;
  }
  if (key === null && check === null) {
    const mend = 'mintmark serve makes one';
    findings.push({ what, state: 'warn', detail: 'the store is not under a master key yet', mend });
  } else if (key === null) {
    const mend = 'put it back from your backup, or set MINTMARK_MASTER_KEY';
    findings.push({ what, state: 'fail', detail: `${source} is missing`, mend });
  } else if (check === null) {
    const mend = 'mintmark serve puts the store under it';
    findings.push({ what, state: 'warn', detail: 'the store is not under a master key yet', mend });
  } else if (key.check !== check) {
    const mend = 'set MINTMARK_MASTER_KEY or MINTMARK_MASTER_KEY_FILE to the right one';
    findings.push({ what, state: 'fail', detail: `${source} is not the key of this store`, mend });
  } else {
    findings.push({ what, state: 'ok', detail: `${source} is the key of this store` });
    return key;
  }
  return null;
}

async function signingKeys(store: Store, masterKey: MasterKey | null, config: Config): Promise<Finding[]> {
  const what = 'signing keys';
  const now = Date.now();
  const keys = (await store.signingKeys.list()).filter((key) => signingKeyState(key, now) !== 'removed');
  const unusable = masterKey === null ? [] : await unusableKeys(store, masterKey, keys, now);
  if (!keys.some((key) => signingKeyState(key, now) === 'active')) {
    return [{ what, state: 'fail', detail: 'none is active', mend: 'mintmark signing-key rotate --now' }];
  }
  if (unusable.length > 0) return unusable;
  const counted = `${keys.length} published, one active`;
  if (rotationIsDue(keys, config.keyRotationSeconds, now)) {
    const mend = 'a running server does it within seconds; or mintmark signing-key rotate';
    return [{ what, state: 'warn', detail: `${counted}; a rotation is due`, mend }];
  }
  return [{ what, state: 'ok', detail: counted }];
}

/** One finding per key whose row has no valid proof or whose private key cannot be decrypted. */
async function unusableKeys(
  store: Store,
  masterKey: MasterKey,
  keys: readonly SealedSigningKey[],
  nowMs: number,
): Promise<Finding[]> {
  const { unproven } = await readProvenKeys(store, masterKey, nowMs);
  const unprovenKids = new Set(unproven.map(({ kid }) => kid));
  return keys.flatMap((key): Finding[] => {
    const [sealed, hasProof] = [canBeOpened(key, masterKey), !unprovenKids.has(key.kid)];
    if (sealed && hasProof) return [];
    const detail = hasProof
      ? `${key.kid} cannot be decrypted: it was changed`
      : `${key.kid} ${sealed ? 'has' : 'cannot be decrypted and has'} no valid proof: its row was written or changed past this ` +
        'program, and no server uses it';
    const mend = hasProof
      ? 'restore the last backup, or mintmark signing-key rotate --compromised'
      : 'find out who can write to the database, then mintmark signing-key rotate --compromised';
    return [{ what: 'signing keys', state: 'fail', detail, mend }];
  });
}

function canBeOpened(key: SealedSigningKey, masterKey: MasterKey): boolean {
  try {
    privateKeyOf(key, masterKey);
    return true;
  } catch {
    return false;
  }
}

/**
 * Compares this machine's clock with the store's clock and with the times of the last changes in the store.
 * SQLite uses this machine's clock, so only the second check can fail there. With a wrong clock, a server
 * issues tokens that verifiers refuse as expired or not yet valid.
 */
async function clock(store: Store, { databaseUrl }: Config): Promise<Finding> {
  const what = 'clock';
  const sentMs = Date.now();
  const storeMs = await store.clock.now();
  const detail = new Date().toISOString();
  const mend = 'set the clock, and keep it set (chrony or systemd-timesyncd)';
  // The store read its clock at some time between these two readings of ours.
  const aheadMs = sentMs > storeMs ? sentMs - storeMs : Math.min(0, Date.now() - storeMs);
  if (Math.abs(aheadMs) > CLOCK_NOTICE_MS) {
    return {
      what,
      state: 'fail',
      detail: `${detail} is ${differenceText(aheadMs)} the clock of the store`,
      mend,
    };
  }
  const latest = Math.max(0, ...(await store.signingKeys.list()).map((key) => key.announcedAt));
  const latestChange = (await store.changes.latestAt()) ?? 0;
  const behindMs = Math.max(latest, latestChange) - Date.now();
  const alone =
    databaseUrl.kind === 'sqlite' ? ', which the store has too: there is no other to compare it with' : '';
  if (behindMs <= 1000) return { what, state: 'ok', detail: detail + alone };
  const behind = `${detail} is ${Math.ceil(behindMs / 1000)} s before the last change of the store`;
  return { what, state: 'fail', detail: behind, mend };
}

/** Checks the clocks of the processes that serve from this store now. */
async function clocksOfProcesses(store: Store): Promise<Finding[]> {
  const differences = await clockDifferences(store.clock);
  return differences.map(({ whose, detail }) => ({
    what: 'clock',
    state: 'fail',
    detail: `${whose}: ${detail}`,
  }));
}

/** How long doctor shows a report. */
const UNREADABLE_SHOWN_MS = UNIT_MS.day;

/** Reports a trusted proxy that sent a server addresses in a form that it cannot parse. */
async function unreadableAddresses(store: Store): Promise<Finding[]> {
  const report = await store.meta.get('unreadable_address');
  if (report === null) return [];
  const { at, header, proxy } = JSON.parse(report) as UnreadableAddress;
  if (Date.now() - at > UNREADABLE_SHOWN_MS) return [];
  const detail = `at ${new Date(at).toISOString()} ${header} from the proxy ${proxy} named no address that can be read`;
  const mend =
    'set MINTMARK_FORWARDED_HEADER to the header that the proxy writes, and let the proxy write IP addresses';
  return [{ what: 'proxy', state: 'warn', detail, mend }];
}

const CONFLICTS_SHOWN_MAX = 20;

/** Versions before this rule compared usernames with client ids in one letter case only. */
async function nameConflicts(store: Store): Promise<Finding[]> {
  const conflicts = await store.apiUsers.conflicts(CONFLICTS_SHOWN_MAX);
  return conflicts.map(({ username, clientId, otherClientId }) => ({
    what: 'store',
    state: 'warn',
    detail: `the username "${username}" of ${clientId} is the client id ${otherClientId} of another API user`,
    mend: `mintmark api-user update ${clientId} --username … with another one, and tell its integrator`,
  }));
}
