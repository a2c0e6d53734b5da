import Type, { type TUnsafe } from 'typebox';
import { USAGE_UNITS, withoutGaps, type UsagePoint, type UsageUnit } from '../../domain/usage.ts';
import { answerObject, closedObject, iso, oneOf, shared, time, type Shared } from './schema.ts';

export interface UsagePointJson {
  at: string;
  tokens: number;
  refusals: Record<string, number>;
}

export interface UsageJson {
  unit: UsageUnit;
  points: UsagePointJson[];
}

export const usageSchema: Shared<UsageJson> = shared(
  'Usage',
  'Tokens and refusals, up to what was last written',
  {
    unit: oneOf(USAGE_UNITS, 'How long each point is'),
    points: Type.Array(
      closedObject({
        at: time('Its start'),
        tokens: Type.Integer({ description: 'Tokens issued' }),
        refusals: Type.Record(Type.String(), Type.Integer(), {
          description: 'Refused requests by reason; reasons without any are left out',
        }),
      }),
      { description: 'One after the other, the oldest first; zeros where nothing happened' },
    ),
  },
);

export interface RecentUsageJson {
  items: { client_id: string; tokens: number[] }[];
}

export const RECENT_HOURS = 24;

export const recentUsageSchema: TUnsafe<RecentUsageJson> = Type.Unsafe<RecentUsageJson>(
  answerObject('In the order of the request', {
    items: Type.Array(
      closedObject({
        client_id: Type.String(),
        tokens: Type.Array(Type.Integer(), {
          description: `Tokens issued in each of the last ${RECENT_HOURS} hours, the present one last`,
        }),
      }),
    ),
  }),
);

/** Milliseconds since 1970. */
export interface UsageSpan {
  unit: UsageUnit;
  from: number;
  to: number;
}

export function usageJson({ unit, from, to }: UsageSpan, points: readonly UsagePoint[]): UsageJson {
  return {
    unit,
    points: withoutGaps(points, unit, from, to).map(({ at, tokens, refusals }) => ({
      at: iso(at),
      tokens,
      refusals: { ...refusals },
    })),
  };
}
