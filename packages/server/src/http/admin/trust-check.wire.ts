import Type, { type TUnsafe } from 'typebox';
import type { FailedCheck, TokenCheck } from '../../admin/trust-check.ts';
import { answerObject, nullable } from './schema.ts';

// The check of a token against trust rules in JSON.

export interface TrustCheckJson {
  passes: boolean;
  problem: string | null;
  issuer: string | null;
  rules: {
    credential_id: string;
    name: string;
    issuer: string;
    passes: boolean;
    failed: FailedCheck | null;
  }[];
}

const failedSchema = Type.Unsafe<FailedCheck | null>({
  type: ['object', 'null'],
  description: 'The first check that the token fails; null: it passes all',
  properties: {
    check: Type.String({ description: 'issuer, subject, audience, claim, life, expired, signature …' }),
    name: Type.String({ description: 'The claim, if `check` does not name it' }),
    expected: Type.String({ description: 'What the rule expects, as a text' }),
    actual: Type.String({ description: 'What the token has, as a text' }),
  },
  required: ['check', 'expected', 'actual'],
  additionalProperties: false,
});

export const trustCheckSchema: TUnsafe<TrustCheckJson> = Type.Unsafe<TrustCheckJson>(
  answerObject('Checked', {
    passes: Type.Boolean({ description: 'Whether a live rule accepts the token' }),
    problem: nullable(Type.String({ description: 'Why the text is no token that a rule can check' })),
    issuer: nullable(Type.String({ description: '`iss` of the token' })),
    rules: Type.Array(
      answerObject('A live rule of the API user', {
        credential_id: Type.String(),
        name: Type.String(),
        issuer: Type.String({ description: 'Of the rule' }),
        passes: Type.Boolean(),
        failed: failedSchema,
      }),
      { description: 'Those that name the issuer of the token come first' },
    ),
  }),
);

export function trustCheckJson({ problem, issuer, rules }: TokenCheck): TrustCheckJson {
  return {
    passes: rules.some(({ failed }) => failed === null),
    problem,
    issuer,
    rules: rules.map(({ credentialId, name, rule, failed }) => ({
      credential_id: credentialId,
      name,
      issuer: rule.issuer,
      passes: failed === null,
      failed,
    })),
  };
}
