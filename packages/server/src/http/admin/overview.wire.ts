import Type from 'typebox';
import { ATTENTION_KINDS, type Attention } from '../../runtime/usage/overview-source.ts';
import {
  answerObject,
  closedObject,
  iso,
  nullable,
  oneOf,
  ref,
  shared,
  time,
  type Shared,
} from './schema.ts';
import { signingKeySchema, type SigningKeyJson } from './signing-key.wire.ts';

export interface AttentionJson {
  kind: (typeof ATTENTION_KINDS)[number];
  client_id?: string;
  organisation_id?: string;
  name: string;
  credential_id?: string;
  at?: string;
  reason?: string;
  count?: number;
  detail: string;
}

export interface OverviewJson {
  tokens_per_second: number;
  refusals_per_second: number;
  latency_ms: { p50: number | null; p99: number | null };
  api_users: { total: number; enabled: number; active_24h: number } | null;
  signing_keys: SigningKeyJson[];
  attention: AttentionJson[];
  version: string;
  uptime_seconds: number;
}

export const overviewSchema: Shared<OverviewJson> = shared('Overview', 'How things stand', {
  tokens_per_second: Type.Number({ description: 'Of this process, in the last minute' }),
  refusals_per_second: Type.Number({ description: 'Of this process, in the last minute' }),
  latency_ms: answerObject(
    'Of the token endpoint of this process: from the head of a request to its answer',
    {
      p50: nullable(Type.Number({ description: 'Null: no request in the last minute' })),
      p99: nullable(Type.Number()),
    },
  ),
  api_users: nullable(
    answerObject(
      'A few seconds old; of millions, up to a few minutes. Null: this process has not counted them yet, which takes long ' +
        'where they are millions. Ask again',
      {
        total: Type.Integer(),
        enabled: Type.Integer(),
        active_24h: Type.Integer({ description: 'Used in the last 24 hours' }),
      },
    ),
  ),
  signing_keys: Type.Array(ref(signingKeySchema), { description: 'Those that are not removed' }),
  attention: Type.Array(
    closedObject({
      kind: oneOf(ATTENTION_KINDS, 'What it is about'),
      client_id: Type.Optional(
        Type.String({ description: 'Missing for a clock, an organisation, and unknown client ids' }),
      ),
      organisation_id: Type.Optional(Type.String({ description: 'With `organisation_quota`' })),
      name: Type.String({
        description: 'Of the API user or organisation; of a clock the host and process id, or the store',
      }),
      credential_id: Type.Optional(Type.String()),
      at: Type.Optional(
        time('When the secret expires, or the last use, the last refusal, or the last hit of the limit was'),
      ),
      reason: Type.Optional(Type.String({ description: 'Why it was refused, with `refused`' })),
      count: Type.Optional(
        Type.Integer({
          description:
            'Refused requests in the last hour, with `refused` and `limit_hit`; tokens with `organisation_quota`',
        }),
      ),
      detail: Type.String({ description: 'In words' }),
    }),
    { description: 'What needs a look, up to 50 of each kind; a few seconds old' },
  ),
  version: Type.String(),
  uptime_seconds: Type.Integer({ description: 'Of this process' }),
});

/** Rounds to two decimal places. */
export function rounded(number: number): number;
export function rounded(number: number | null): number | null;
export function rounded(number: number | null): number | null {
  return number === null ? null : Math.round(number * 100) / 100;
}

export function attentionJson(attention: Attention): AttentionJson {
  const { kind, clientId, organisationId, name, credentialId, at, reason, count } = attention;
  return {
    kind,
    ...(clientId !== null && { client_id: clientId }),
    ...(organisationId !== undefined && { organisation_id: organisationId }),
    name,
    ...(credentialId !== null && { credential_id: credentialId }),
    ...(at !== null && { at: iso(at) }),
    ...(reason !== undefined && { reason }),
    ...(count > 0 && { count }),
    detail: detailOf(attention),
  };
}

function detailOf({ kind, at, count, clientId, reason = '', detail = '' }: Attention): string {
  switch (kind) {
    case 'clock':
      return detail;
    case 'organisation_quota':
      return `It has used up its quota (${detail}): raise it, or ask its integrators to keep tokens.`;
    case 'refused':
      return clientId === null
        ? `${count} requests in the last hour named a client id that no API user has: a mistyped id, a deleted API user, or guesses.`
        : `Refused ${count} times in the last hour (${reason}): ask its integrator, or read its page.`;
    case 'secret_expires':
      return 'The secret expires soon: reset it, so that its callers move over in time.';
    case 'unused':
      return at === null
        ? 'It was never used: disable it, if nobody needs it.'
        : 'It was not used for 90 days: disable it, if nobody needs it any more.';
    case 'limit_hit':
      return `Its limit refused ${count} requests in the last hour: tell its integrator to keep tokens, or raise it.`;
  }
}
