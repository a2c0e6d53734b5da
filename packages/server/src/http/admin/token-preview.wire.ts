import Type, { type TUnsafe } from 'typebox';
import type { TokenPreview } from '../../domain/token-preview.ts';
import { answerObject } from './schema.ts';

/** The token that an API user would get, without a signature. */
export interface TokenPreviewJson extends Pick<TokenPreview, 'header' | 'claims' | 'bytes'> {
  life_seconds: number;
}

export const tokenPreviewAnswer: TUnsafe<TokenPreviewJson> = Type.Unsafe<TokenPreviewJson>(
  answerObject('The token, without a signature', {
    header: jsonObject('Its header'),
    claims: jsonObject('Its claims'),
    bytes: Type.Integer({ description: 'Its length with the signature' }),
    life_seconds: Type.Integer(),
  }),
);

/** Any JSON object, in an answer. */
function jsonObject(description: string) {
  return Type.Unsafe<Record<string, unknown>>({ type: 'object', additionalProperties: true, description });
}

export function tokenPreviewJson({ header, claims, bytes, lifeSeconds }: TokenPreview): TokenPreviewJson {
  return { header, claims, bytes, life_seconds: lifeSeconds };
}
