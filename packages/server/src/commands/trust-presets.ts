import type { Command } from 'commander';
import { TRUST_PRESETS, type TrustPreset } from '../domain/trust-presets.ts';
import { json, shellWord, type Io } from './io.ts';

/** `trust presets`: what a person fills in for each well-known issuer. */
export function presetsCommand(parent: Command, io: Io): void {
  const command = parent.command('presets').description('List the presets of trust rules with their fields.');
  command.option('--json', 'Print JSON.').addHelpText('after', '\nExample:\n  mintmark trust presets');
  command.action((options: { json?: boolean }) => {
    if (options.json === true) return io.out(json(TRUST_PRESETS.map(presetJson)));
    io.out(TRUST_PRESETS.map(presetText).join('\n\n'));
  });
}

function presetJson({ name, title, fields, oneOf }: TrustPreset): Record<string, unknown> {
  return {
    name,
    title,
    fields: fields.map(({ name: fieldName, isRequired, example, help }) => {
      return { name: fieldName, required: isRequired, example, help };
    }),
    one_of: oneOf,
  };
}

function presetText({ name, title, fields, oneOf }: TrustPreset): string {
  const lines = fields.map((field) => {
    const example = `--field ${shellWord(`${field.name}=${field.example}`)}`;
    return `  ${example}${field.isRequired ? '' : '  (optional)'}\n      ${field.help}`;
  });
  const groups = oneOf.map((group) => `  At least one of ${group.join(', ')}.`);
  return [`${name}: ${title}`, ...lines, ...groups].join('\n');
}
