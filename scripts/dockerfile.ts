// The part of the Dockerfile syntax that deploy/Dockerfile uses; rejects everything else, so that nothing is
// ignored.
import { readFileSync } from 'node:fs';

export interface Instruction {
  /** In capitals: RUN, COPY … */
  name: string;
  text: string;
}

export interface Stage {
  base: string;
  name: string;
  instructions: Instruction[];
}

export interface Dockerfile {
  stages: Stage[];
}

export const DOCKERFILE: URL = new URL('../deploy/Dockerfile', import.meta.url);

export function readDockerfile(file: URL = DOCKERFILE): Dockerfile {
  const stages: Stage[] = [];
  const lines = readFileSync(file, 'utf8').split('\n');
  const text = lines.filter((line) => !line.trimStart().startsWith('#')).join('\n');
  for (const line of text.replaceAll(/\s*\\\n\s*/g, ' ').split('\n')) {
    if (line.trim() === '') continue;
    const [, name = '', rest = ''] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
    if (name === 'FROM') {
      const [, base = '', stage = ''] = /^(\S+)(?: AS (\S+))?$/.exec(rest) ?? [];
      stages.push({ base, name: stage, instructions: [] });
      continue;
    }
    const stage = stages.at(-1);
    if (stage === undefined || !KNOWN.has(name)) throw new Error(`${file.pathname}: cannot be read: ${line}`);
    stage.instructions.push({ name, text: rest });
  }
  return { stages };
}

const KNOWN = new Set('RUN COPY ENV USER WORKDIR VOLUME EXPOSE HEALTHCHECK ENTRYPOINT CMD'.split(' '));

/** The last instruction of a stage with this name; throws without one. */
export function lastOf(stage: Stage, name: string): string {
  const found = stage.instructions.findLast((instruction) => instruction.name === name);
  if (found === undefined)
    throw new Error(`deploy/Dockerfile: ${stage.name || 'the last stage'} has no ${name}`);
  return found.text;
}

/** The variables set by ENV in a stage. */
export function environmentOf(stage: Stage): Record<string, string> {
  const set = stage.instructions.filter(({ name }) => name === 'ENV');
  return Object.fromEntries(
    set.flatMap(({ text }) => text.split(/\s+/)).map((pair) => pair.split(/=(.*)/s).slice(0, 2)),
  ) as Record<string, string>;
}

/** An instruction in the JSON form, such as CMD ["serve"]. */
export function wordsOf(text: string): string[] {
  return JSON.parse(text.slice(text.indexOf('['))) as string[];
}
