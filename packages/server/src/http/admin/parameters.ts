import type { FastifyRequest } from 'fastify';
import { holdsControl } from '../../domain/characters.ts';
import { decodeFormText } from '../form.ts';
import { Problem, type ProblemFault } from './problem.ts';

/**
 * Throws a Problem if the query is malformed, or if a parameter of the query or path holds a control
 * character. Fastify passes malformed escapes on unchanged, and the two stores treat NUL differently.
 */
export function refuseParameters({ url, query, params }: FastifyRequest): void {
  const start = url.indexOf('?');
  const encoded = start < 0 ? '' : url.slice(start + 1).replaceAll(/[&=]/g, ' ');
  if (decodeFormText(encoded) === null) {
    throw new Problem(
      'invalid',
      'The query is not well-formed: percent-encode its bytes as UTF-8, without NUL.',
    );
  }
  const faults = [...faultsOf('?', query), ...faultsOf('', params)];
  const [first] = faults;
  if (first !== undefined)
    throw new Problem('invalid', `The parameter ${first.pointer} ${first.detail}.`, { faults });
}

function faultsOf(prefix: string, parameters: unknown): ProblemFault[] {
  return Object.entries(parameters as Record<string, unknown>)
    .filter(
      ([name, value]) => holdsControl(name) || [value].flat().some((each) => holdsControl(String(each))),
    )
    .map(([name]) => ({
      pointer: `${prefix}${name.slice(0, 100)}`,
      detail: 'holds a control character: remove it',
    }));
}
