import type { Command } from 'commander';
import { setAudience } from '../admin/audience-settings.ts';
import type { AudienceSettings } from '../domain/audience-settings.ts';
import { AppError } from '../domain/app-error.ts';
import { audienceSettingsJson } from '../http/admin/audience-settings.wire.ts';
import { commandLineChange } from './actor.ts';
import { addTokenOptions, claimsText, tokenSettings, type TokenOptions } from './claims.ts';
import { json, table, time, type Io } from './io.ts';
import { addSettings, storeCommand, STORE_SETTINGS, withStore } from './options.ts';

export function audienceCommand(program: Command, io: Io): void {
  const parent = program
    .command('audience')
    .description('Set claims and life of the tokens for an audience.');
  parent.addHelpText(
    'after',
    '\nExample:\n  mintmark audience set https://api.example.com/ --claim tier=gold',
  );
  set(parent, io);
  list(parent, io);
  show(parent, io);
}

function set(parent: Command, io: Io): void {
  const command = storeCommand(
    parent,
    'set <uri>',
    'Set what all tokens for an audience say; the rest stays.',
  );
  addSettings(addTokenOptions(command), STORE_SETTINGS).addHelpText(
    'after',
    '\nAn API user or organisation with the same claim or a life of its own overrides the audience.' +
      '\n\nExample:\n  mintmark audience set https://api.example.com/ --claim tier=gold --token-life 300',
  );
  command.action(async (audience: string, options: TokenOptions & { json?: boolean }) => {
    const settings = await withStore(command, io, async (store) => {
      const before = await store.audienceSettings.find(audience);
      const { claims = {}, tokenLifeSeconds = null } = { ...before, ...tokenSettings(options) };
      const ifVersion = [before?.version ?? 0];
      return await setAudience(
        commandLineChange(store),
        { audience, claims, tokenLifeSeconds },
        { ifVersion },
      );
    });
    print(io, settings, options.json);
  });
}

function list(parent: Command, io: Io): void {
  const command = storeCommand(parent, 'list', 'List the audiences with settings.');
  addSettings(command, STORE_SETTINGS).addHelpText('after', '\nExample:\n  mintmark audience list --json');
  command.action(async (options: { json?: boolean }) => {
    const all = await withStore(command, io, (store) => store.audienceSettings.list());
    if (options.json === true) return io.out(json(all.map(audienceSettingsJson)));
    if (all.length === 0) return io.err('No audience has settings: mintmark audience set …');
    const rows = all.map((each) => [each.audience, lifeText(each), claimsText(each.claims)]);
    io.out(table(['AUDIENCE', 'TOKEN LIFE', 'CLAIMS'], rows));
  });
}

function show(parent: Command, io: Io): void {
  const command = storeCommand(parent, 'show <uri>', 'Show the settings of one audience.');
  addSettings(command, STORE_SETTINGS).addHelpText(
    'after',
    '\nExample:\n  mintmark audience show https://api.example.com/',
  );
  command.action(async (audience: string, options: { json?: boolean }) => {
    const settings = await withStore(command, io, (store) => store.audienceSettings.find(audience));
    if (settings === undefined)
      throw new AppError('not_found', `The audience "${audience}" has no settings.`, {
        hint: ': mintmark audience list shows those that have.',
      });
    print(io, settings, options.json);
  });
}

function lifeText({ tokenLifeSeconds }: AudienceSettings): string {
  return tokenLifeSeconds === null ? 'default' : `${tokenLifeSeconds} s`;
}

function print(io: Io, settings: AudienceSettings, asJson: boolean | undefined): void {
  if (asJson === true) return io.out(json(audienceSettingsJson(settings)));
  const rows = [
    ['audience', settings.audience],
    ['token life', lifeText(settings)],
    ['claims', claimsText(settings.claims)],
    ['updated', settings.version === 0 ? '-' : time(settings.updatedAt)],
  ];
  io.out(rows.map(([name = '', value = '']) => `${name.padEnd(10)}  ${value}`).join('\n'));
}
