import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { BINARY } from './binary.ts';

const DOCS = new URL('../../../docs/sandbox.md', import.meta.url);

/** The example in docs/sandbox.md in this language. */
export function sandboxExample(language: string): string {
  const [, code] = new RegExp(`\`\`\`${language}\n([^]*?)\`\`\``).exec(readFileSync(DOCS, 'utf8')) ?? [];
  if (code === undefined) throw new Error(`docs/sandbox.md has no example in ${language}.`);
  return code;
}

/** An environment in which `mintmark` is that of this repository, for programs in this folder. */
export function mintmarkOnPath(folder: string): Record<string, string> {
  const program = join(folder, 'mintmark');
  writeFileSync(program, `#!/bin/sh\nexec '${process.execPath}' '${BINARY}' "$@"\n`);
  chmodSync(program, 0o755);
  const { PATH = '', HOME = '' } = process.env;
  return { PATH: `${folder}${delimiter}${PATH}`, HOME };
}
