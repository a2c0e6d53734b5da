import type { Command } from 'commander';
import { createKeySourceCheck } from '../runtime/trusted-keys/check.ts';
import { createKeySearch } from '../runtime/trusted-keys/key-search.ts';
import { existingApiUser } from '../admin/api-user.ts';
import { checkTrust, type CheckedRule } from '../admin/trust-check.ts';
import { createTrustRule } from '../admin/trust-rule.ts';
import { AppError } from '../domain/app-error.ts';
import { trustRuleOf } from '../domain/assertion-credential.ts';
import { credentialState, type Credential } from '../domain/credential.ts';
import { trustRuleText, valueText } from '../domain/trust-rule-text.ts';
import type { TrustRule } from '../domain/trust-rule.ts';
import { credentialJson } from '../http/admin/credential.wire.ts';
import { trustCheckJson } from '../http/admin/trust-check.wire.ts';
import { durationText } from '../lib/duration.ts';
import { commandLineActor, commandLineChange } from './actor.ts';
import { retireCommand } from './credential.ts';
import { json, readLine, table, time, type Io } from './io.ts';
import {
  addSettings,
  duration,
  issuerFor,
  storeCommand,
  STORE_SETTINGS,
  URL_HELP,
  URL_SETTINGS,
  withStore,
} from './options.ts';
import { addTrustOptions, ruleOfOptions, type TrustOptions } from './trust-options.ts';
import { presetsCommand } from './trust-presets.ts';

export function trustCommand(program: Command, io: Io): void {
  const parent = program
    .command('trust')
    .description('Trust the tokens that another issuer gives to the workload of an API user.');
  parent.addHelpText(
    'after',
    '\nExample:\n  mintmark trust create api_… --preset github --field repository_id=123456 --field branch=main',
  );
  create(parent, io);
  list(parent, io);
  show(parent, io);
  retireCommand(parent, io, {
    description: 'End a trust rule at once.',
    example: 'mintmark trust retire 4Kq0Zt7RbX',
  });
  check(parent, io);
  presetsCommand(parent, io);
}

interface CreateOptions extends TrustOptions {
  name: string;
  expiresIn?: number;
  force?: boolean;
  json?: boolean;
}

const CREATE_EXAMPLES = `
Examples:
  mintmark trust create api_… --preset github --field repository_id=123456 --field branch=main
  mintmark trust create api_… --preset kubernetes --field issuer=https://… --field namespace=importer \\
      --field service_account=nightly --jwks cluster.jwks
  mintmark trust create api_… --iss https://ci.example.com --sub 'project:importer:*' --claim ref=main`;

function create(parent: Command, io: Io): void {
  const command = storeCommand(parent, 'create <client-id>', 'Create a trust rule.');
  command
    .option('--name <name>', 'Says where the workload is deployed.', 'trust rule')
    .option('--expires-in <duration>', 'It expires after this time: 90d, 24h. Default: never.', duration);
  addTrustOptions(command);
  command.option('--force', 'Create the rule even if it matches more than is safe.');
  addSettings(command, [...STORE_SETTINGS, ...URL_SETTINGS]).addHelpText('after', URL_HELP + CREATE_EXAMPLES);
  command.action(async (owner: string, options: CreateOptions) => {
    await withStore(command, io, async (store, config) => {
      const nowMs = Date.now();
      const { rule, letsIn } = ruleOfOptions(options, await issuerFor(command, io, store, config));
      const expiresAt = options.expiresIn === undefined ? null : nowMs + options.expiresIn;
      const input = { owner, name: options.name, expiresAt };
      const credential = await createTrustRule(
        commandLineChange(store, nowMs),
        input,
        { rule, force: options.force === true },
        createKeySourceCheck(store, config),
      );
      if (options.json === true) return io.out(json(credentialJson(credential, [], nowMs)));
      io.out(`credential     ${credential.id}`);
      io.err(`\nIt lets in ${letsIn}.\nTheir tokens must be for the audience ${rule.audience}.`);
    });
  });
}

function list(parent: Command, io: Io): void {
  const command = storeCommand(parent, 'list <client-id>', 'List the trust rules of an API user.');
  addSettings(command, STORE_SETTINGS).addHelpText('after', '\nExample:\n  mintmark trust list api_…');
  command.action(async (owner: string, options: { json?: boolean }) => {
    const nowMs = Date.now();
    const all = await withStore(command, io, async (store) =>
      store.credentials.listOf((await existingApiUser(store, owner, commandLineActor())).clientId),
    );
    const rules = all.filter(({ kind }) => kind === 'trust');
    if (options.json === true)
      return io.out(json(rules.map((credential) => credentialJson(credential, all, nowMs))));
    if (rules.length === 0) return io.err(`It has none: mintmark trust create ${owner}`);
    const rows = rules.map((credential) => {
      const { id, name, lastUsedAt, lastSubject } = credential;
      const state = credentialState(credential, nowMs);
      return [id, state, name, ruleOf(credential).issuer, time(lastUsedAt), lastSubject ?? '-'];
    });
    io.out(table(['CREDENTIAL', 'STATE', 'NAME', 'ISSUER', 'LAST USED', 'LAST SUBJECT'], rows));
  });
}

function show(parent: Command, io: Io): void {
  const command = storeCommand(parent, 'show <credential-id>', 'Show a trust rule and its last refusal.');
  addSettings(command, STORE_SETTINGS).addHelpText('after', '\nExample:\n  mintmark trust show 4Kq0Zt7RbX');
  command.action(async (id: string, options: { json?: boolean }) => {
    const nowMs = Date.now();
    const { credential, all } = await withStore(command, io, async (store) => {
      const existing = await store.credentials.find(id);
      if (existing?.kind === 'trust')
        return { credential: existing, all: await store.credentials.listOf(existing.clientId) };
      throw new AppError('not_found', `There is no trust rule ${JSON.stringify(id)}.`);
    });
    io.out(options.json === true ? json(credentialJson(credential, all, nowMs)) : details(credential, nowMs));
  });
}

function ruleOf(credential: Credential): TrustRule {
  const rule = trustRuleOf(credential);
  if (rule === null) throw new Error(`The credential ${credential.id} is not a trust rule.`);
  return rule;
}

function details(credential: Credential, nowMs: number): string {
  const rule = ruleOf(credential);
  const { lastUsedAt, lastUsedAddress, lastSubject, lastRefusal, useCount } = credential;
  const rows = [
    ['credential', `${credential.id} (${credentialState(credential, nowMs)})`],
    ['name', credential.name],
    ['client_id', credential.clientId],
    ['lets in', trustRuleText(rule)],
    ['audience', `${rule.audience}${rule.otherAudiences ? ', and others beside it' : ''}`],
    ['longest life', durationText(rule.lifeSecondsMax * 1000)],
    ['a token proves', rule.reuse === 'once' ? 'once' : 'until it expires'],
    ['keys', keysText(rule)],
    ['preset', rule.preset ?? '-'],
    ['expires', time(credential.expiresAt)],
    ['last used', lastUsedAt === null ? '-' : `${time(lastUsedAt)} from ${lastUsedAddress ?? '-'}`],
    ['last subject', lastSubject === null ? '-' : valueText(lastSubject)],
    ['uses', String(useCount)],
    [
      'last refusal',
      lastRefusal === null
        ? '-'
        : `${time(lastRefusal.at)} from ${lastRefusal.address}: ${lastRefusal.detail ?? lastRefusal.reason}`,
    ],
  ];
  return rows.map(([label = '', text = '']) => `${label.padEnd(16)}${text}`).join('\n');
}

function keysText({ keys }: TrustRule): string {
  switch (keys.from) {
    case 'discovery':
      return 'by discovery from the issuer';
    case 'url':
      return keys.url;
    case 'inline':
      return `${keys.jwks.keys.length} in the rule itself`;
  }
}

function check(parent: Command, io: Io): void {
  const command = storeCommand(
    parent,
    'check <client-id>',
    'Check whether the token on standard input would prove the API user, and if not, why not.',
  );
  addSettings(command, STORE_SETTINGS).addHelpText(
    'after',
    '\nThe token is not stored, and can still be used. Exit code 6: no rule accepts it.' +
      '\n\nExample:\n  mintmark trust check api_… < token',
  );
  command.action(async (owner: string, options: { json?: boolean }) => {
    const token = await readLine(io, 'Paste the token and press Enter:');
    const checked = await withStore(command, io, async (store, config) => {
      const findKey = createKeySearch(store, config);
      return await checkTrust({ store, findKey }, owner, token, commandLineChange(store));
    });
    const passes = checked.rules.some(({ failed }) => failed === null);
    if (options.json === true) io.out(json(trustCheckJson(checked)));
    else for (const rule of checked.rules) io.out(checkText(rule));
    if (passes) return;
    const { problem, rules } = checked;
    const why =
      problem ?? (rules.length === 0 ? 'The API user has no live trust rule.' : 'No rule lets the token in.');
    throw new AppError('check_failed', why);
  });
}

function checkText({ credentialId, name, failed }: CheckedRule): string {
  const subject = `${credentialId} (${name})`;
  if (failed === null) return `${subject} lets it in`;
  const what = failed.name === undefined ? failed.check : `${failed.check} ${failed.name}`;
  return `${subject} refuses it: ${what}: expected ${failed.expected}, actual ${failed.actual}`;
}
