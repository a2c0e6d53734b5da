import { InvalidArgumentError, Option, type Command } from 'commander';
import type { Claims } from '../domain/claims.ts';
import { CREDENTIAL_KINDS, type CredentialKind } from '../domain/credential.ts';
import { QUOTA_MODES, VIOLATION_MODES, type TokenQuota } from '../domain/organisation.ts';
import type { PolicyRecord, SettingsInput } from '../domain/organisation-record.ts';
import { addTokenOptions, tokenSettings } from './claims.ts';
import { several, severalUris, wholeNumber } from './options.ts';

/** The options of `organisation create` and `organisation update`. */
export interface OrganisationOptions {
  name?: string;
  contact?: string;
  externalId?: string;
  scope?: string[];
  audience?: string[];
  kind?: CredentialKind[];
  credentialDays?: number;
  apiUsers?: number;
  apiUserLimit?: number;
  limit?: number;
  quotaHour?: number;
  quotaDay?: number;
  quotaMode?: TokenQuota['mode'];
  tokenLife?: number;
  allowNetwork?: string[];
  secondFactor?: boolean;
  trustIssuer?: string[];
  introspectsAll?: boolean;
  violations?: PolicyRecord['violations'];
  claim?: Claims | false;
  json?: boolean;
}

export function addOrganisationOptions(command: Command): Command {
  command
    .option('--contact <text>', 'Whom to ask about it.')
    .option('--external-id <id>', 'Its id in another system; unique.')
    .option('--scope <scope>', 'A scope that its API users may have; repeatable.', several)
    .option(
      '--audience <uri>',
      'An audience that they may have; repeatable. None: only that of the server.',
      severalUris,
    )
    .option(
      '--kind <kind>',
      `A kind of credential that they may have; repeatable: ${CREDENTIAL_KINDS.join(', ')}.`,
      kinds,
    )
    .option('--trust-issuer <issuer>', 'An issuer that trust rules may name; repeatable.', severalUris)
    .option('--credential-days <days>', 'The longest life of a new credential; 0: no bound.', wholeNumber)
    .option('--api-users <number>', 'How many API users it may have.', wholeNumber)
    .option('--api-user-limit <calls/min>', 'The highest limit of one API user; 0: no bound.', wholeNumber)
    .option('--limit <calls/min>', 'The limit of all its API users together; 0: no such limit.', wholeNumber)
    .option('--quota-hour <tokens>', 'Tokens per hour (UTC) of all together; 0: no quota.', wholeNumber)
    .option('--quota-day <tokens>', 'Tokens per day (UTC) of all together; 0: no quota.', wholeNumber)
    .addOption(
      new Option('--quota-mode <mode>', 'observe: report more tokens. enforce: refuse them.').choices(
        QUOTA_MODES,
      ),
    )
    .option('--allow-network <network>', 'A network that they may call from; repeatable.', several)
    .option('--second-factor', 'Its members need a second factor.')
    .option('--no-second-factor', 'Its members need none.')
    .option('--introspects-all', 'Its API users may introspect tokens of other organisations, too.')
    .option('--no-introspects-all', 'They may introspect tokens of their own organisation only.')
    .addOption(
      new Option(
        '--violations <mode>',
        'What a stricter policy does to what it forbids. report: it is listed. end: it is disabled or retired.',
      ).choices(VIOLATION_MODES),
    );
  return addTokenOptions(command);
}

/** Argument parser for commander: collects kinds of credentials. */
function kinds(text: string, before: CredentialKind[] | undefined): CredentialKind[] {
  const names = several(text, before);
  const unknown = names.find((name) => !CREDENTIAL_KINDS.some((kind) => kind === name));
  if (unknown !== undefined) throw new InvalidArgumentError(`Give one of ${CREDENTIAL_KINDS.join(', ')}.`);
  return names as CredentialKind[];
}

/** The settings that the options name. `quota`: the present one, because they may name a part. */
export function settingsInput(options: OrganisationOptions, quota: TokenQuota): SettingsInput {
  const { claims } = tokenSettings(options);
  return {
    ...(options.name !== undefined && { name: options.name }),
    ...(options.contact !== undefined && { contact: options.contact || null }),
    ...(options.externalId !== undefined && { external_id: options.externalId || null }),
    ...(claims !== undefined && { claims }),
    policy: policyInput(options, quota),
  };
}

function policyInput(options: OrganisationOptions, quota: TokenQuota): Partial<PolicyRecord> {
  const { quotaHour, quotaDay, quotaMode } = options;
  const namesQuota = [quotaHour, quotaDay, quotaMode].some((each) => each !== undefined);
  const { tokenLifeSeconds } = tokenSettings(options);
  return {
    ...(options.scope !== undefined && { scopes: options.scope }),
    ...(options.audience !== undefined && { audiences: options.audience }),
    ...(options.kind !== undefined && { credential_kinds: options.kind }),
    ...(options.trustIssuer !== undefined && { trust_issuers: options.trustIssuer }),
    ...(options.credentialDays !== undefined && { credential_days_max: options.credentialDays || null }),
    ...(options.apiUsers !== undefined && { api_users_max: options.apiUsers }),
    ...(options.apiUserLimit !== undefined && { api_user_limit_max: options.apiUserLimit || null }),
    ...(options.limit !== undefined && { limit_per_minute: options.limit || null }),
    ...(namesQuota && {
      quota: {
        mode: quotaMode ?? quota.mode,
        tokens_per_hour: quotaHour === undefined ? quota.tokensPerHour : quotaHour || null,
        tokens_per_day: quotaDay === undefined ? quota.tokensPerDay : quotaDay || null,
      },
    }),
    ...(tokenLifeSeconds !== undefined && { token_life_seconds: tokenLifeSeconds }),
    ...(options.allowNetwork !== undefined && { allowed_networks: options.allowNetwork }),
    ...(options.secondFactor !== undefined && { second_factor_required: options.secondFactor }),
    ...(options.introspectsAll !== undefined && { introspects_all: options.introspectsAll }),
    ...(options.violations !== undefined && { violations: options.violations }),
  };
}
