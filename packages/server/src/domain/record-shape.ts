import type { Fault } from './fault.ts';
import { parseTime, RFC_3339 } from './parse-time.ts';

// The shape of a line of an import: the members that it may have, and their JSON types.

export type Json = Record<string, unknown>;

export interface Member {
  /** Completes the sentence "This must be …". */
  is: string;
  fits(value: unknown): boolean;
  required?: boolean;
}

export const text: Member = { is: 'a text', fits: (value) => typeof value === 'string' };
export const textOrNull: Member = {
  is: 'a text, or null',
  fits: (value) => value === null || text.fits(value),
};
export const texts: Member = {
  is: 'a list of texts',
  fits: (value) => Array.isArray(value) && value.every((item) => typeof item === 'string'),
};
export const truth: Member = { is: 'true or false', fits: (value) => typeof value === 'boolean' };
export const number: Member = { is: 'a number', fits: (value) => typeof value === 'number' };
export const numberOrNull: Member = {
  is: 'a number, or null',
  fits: (value) => value === null || number.fits(value),
};
export const object: Member = { is: 'an object', fits: isObject };

/** Faults of members that are unknown, missing or have the wrong type. */
export function shapeFaults(json: Json, members: Readonly<Record<string, Member>>): Fault[] {
  const unknown = Object.keys(json).filter((name) => !Object.hasOwn(members, name));
  return [
    ...unknown.map((name) => ({ member: name.slice(0, NAME_SHOWN), problem: 'This member is not known.' })),
    ...Object.entries(members).flatMap(([member, { is, fits, required = false }]) => {
      const value = json[member];
      if (value === undefined) return required ? [{ member, problem: 'This member is missing.' }] : [];
      return fits(value) ? [] : [{ member, problem: `This must be ${is}.` }];
    }),
  ];
}

const NAME_SHOWN = 100;

export function timeFaults(member: string, time: string | null | undefined): Fault[] {
  if (time === undefined || time === null) return [];
  const isTime = new RegExp(RFC_3339).test(time) && parseTime(time) !== null;
  return isTime ? [] : [{ member, problem: 'This must be a time such as 2030-01-31T12:00:00Z.' }];
}

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
