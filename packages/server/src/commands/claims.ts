import { InvalidArgumentError, type Command } from 'commander';
import type { Claims } from '../domain/claims.ts';
import { wholeNumber } from './options.ts';

export interface TokenOptions {
  /** False: without claims. */
  claim?: Claims | false;
  tokenLife?: number;
}

/** The options for what tokens say and how long they are good for. */
export function addTokenOptions(command: Command): Command {
  return command
    .option(
      '--claim <name=value>',
      'A claim of its tokens; name:=json sets a JSON value. Repeatable; together they replace the claims before.',
      claim,
    )
    .option('--no-claim', 'Without claims.')
    .option('--token-life <seconds>', 'Life of its tokens; 0: that of the next wider setting.', wholeNumber);
}

/** The settings that these options name. */
export function tokenSettings({ claim: claims, tokenLife }: TokenOptions): {
  claims?: Claims;
  tokenLifeSeconds?: number | null;
} {
  return {
    ...(typeof claims === 'object' && { claims }),
    ...(claims === false && { claims: {} }),
    ...(tokenLife !== undefined && { tokenLifeSeconds: tokenLife || null }),
  };
}

/** Argument parser for commander: collects `name=value` and `name:=json`. */
function claim(text: string, before: Claims | boolean | undefined): Claims {
  const at = text.indexOf('=');
  const isJson = text[at - 1] === ':';
  const name = text.slice(0, isJson ? at - 1 : at);
  if (at < 1 || name === '') throw new InvalidArgumentError('Give name=value or name:=json.');
  const value = text.slice(at + 1);
  const earlier = typeof before === 'object' ? before : {};
  return { ...earlier, [name]: isJson ? jsonValue(value) : value };
}

function jsonValue(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new InvalidArgumentError('After := comes a JSON value: true, 3, "text" or {"a": 1}.');
  }
}

export function claimsText(claims: Claims): string {
  return Object.keys(claims).length === 0 ? '-' : JSON.stringify(claims);
}
