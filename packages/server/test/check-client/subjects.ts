// Programs as integrators write them, each with another library: `mintmark check-client` runs them for the table in
// docs/check-client.md.
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkClient, type ClientCheck } from '../../src/server/check-client/check-client.ts';

const ROOT = join(import.meta.dirname, '../../../..');
const CLIENTS = join(import.meta.dirname, 'clients');
/** Packages of Debian for Go lie here. */
const GO_ENV = { GO111MODULE: 'off', GOPATH: '/usr/share/gocode' };
const PYTHON = '/usr/bin/python3';

export interface ProgramSubject {
  name: string;
  /** The file in clients/. */
  file: string;
  /** The library does this without code of the program. */
  library: string;
  version(): string;
  /** The program and its arguments. May compile it into this folder. */
  command(folder: string): string[];
  /** A program that is missing on this machine, and how to install it; null: nothing is missing. */
  missing(): string | null;
}

/** The results of one program. */
export interface ProgramColumn extends Pick<ProgramSubject, 'name' | 'file' | 'library'> {
  version: string;
  checks: readonly ClientCheck[];
}

export async function columnOf(subject: ProgramSubject, folder: string): Promise<ProgramColumn> {
  const { name, file, library } = subject;
  const checks = await checkClient({
    command: subject.command(folder),
    env: process.env,
    scopes: ['campaigns:read'],
    audiences: [],
    signal: new AbortController().signal,
  });
  return { name, file, library, version: subject.version(), checks };
}

/** False if the program can run here; else the reason to skip its test. CI requires it. */
export function skipReason({ name, missing }: ProgramSubject): string | false {
  const install = missing();
  if (install === null) return false;
  const how = `${name} cannot run here: ${install}`;
  if (process.env['CI'] === 'true') throw new Error(how);
  console.warn(`\n*** A test is skipped. ${how} ***\n`);
  return how;
}

const needsNothing = () => null;

/** A program that this Node runs, with a library from npm. */
function nodeProgram(name: string, file: string, library: string, manifest: string): ProgramSubject {
  return {
    name,
    file,
    library,
    version: () =>
      (JSON.parse(readFileSync(join(ROOT, manifest, 'package.json'), 'utf8')) as { version: string }).version,
    command: () => nodeCommand(join(CLIENTS, file)),
    missing: needsNothing,
  };
}

/** Runs a file with the packages of this repository from their sources. */
export function nodeCommand(file: string): string[] {
  return [process.execPath, '--import', join(ROOT, 'scripts/from-sources.mjs'), file];
}

function unless(installed: boolean, packages: string): string | null {
  return installed ? null : `apt-get install ${packages}`;
}

function succeeds(program: string, parameters: readonly string[]): boolean {
  return spawnSync(program, parameters).status === 0;
}

function firstLine(program: string, parameters: readonly string[]): string {
  return execFileSync(program, parameters, { encoding: 'utf8' }).trim().split('\n')[0] ?? '';
}

export const OUR_CLIENT: ProgramSubject = nodeProgram(
  '@mintmark/client',
  'mintmark-client.ts',
  'keeps, renews and shares the token, and repeats calls',
  'packages/client',
);

export const CURL: ProgramSubject = {
  name: 'curl',
  file: 'curl.sh',
  library: 'repeats the token request (`--retry`)',
  version: () => /curl (\S+)/.exec(firstLine('curl', ['--version']))?.[1] ?? '',
  command: () => ['bash', join(CLIENTS, 'curl.sh')],
  missing: () => unless(succeeds('jq', ['--version']), 'curl jq'),
};

export const SUBJECTS: readonly ProgramSubject[] = [
  OUR_CLIENT,
  CURL,
  nodeProgram(
    'simple-oauth2',
    'simple-oauth2.ts',
    'says whether the token has expired. Node prints the secret with an uncaught error of it, so the program catches them',
    'node_modules/simple-oauth2',
  ),
  nodeProgram(
    'openid-client',
    'openid-client.ts',
    'says when the token expires',
    'node_modules/openid-client',
  ),
  nodeProgram(
    'google-auth-library',
    'google-auth-library.ts',
    'has no client credentials grant: the program makes the token request. It keeps and renews the token, and repeats a call after a 401',
    'node_modules/google-auth-library',
  ),
  {
    name: 'requests-oauthlib',
    file: 'requests_oauthlib_client.py',
    library: 'keeps the token, and raises an error for an expired one',
    version: () =>
      firstLine(PYTHON, ['-c', 'import requests_oauthlib; print(requests_oauthlib.__version__)']),
    command: () => [PYTHON, join(CLIENTS, 'requests_oauthlib_client.py')],
    missing: () => unless(succeeds(PYTHON, ['-c', 'import requests_oauthlib']), 'python3-requests-oauthlib'),
  },
  {
    name: 'golang.org/x/oauth2',
    file: 'go/main.go',
    library: 'keeps, renews and shares the token',
    version: () =>
      firstLine('dpkg-query', ['-W', '-f', '${Version}', 'golang-golang-x-oauth2-dev']).replace(/-\d+$/, ''),
    command(folder) {
      const program = join(folder, 'go-client');
      const env = { ...process.env, ...GO_ENV, GOCACHE: join(folder, 'go-cache') };
      execFileSync('go', ['build', '-o', program, join(CLIENTS, 'go/main.go')], { env });
      return [program];
    },
    missing: () =>
      unless(
        succeeds('go', ['version']) && succeeds('dpkg-query', ['-W', 'golang-golang-x-oauth2-dev']),
        'golang-go golang-golang-x-oauth2-dev',
      ),
  },
  {
    name: 'oauth2 (Ruby)',
    file: 'oauth2_client.rb',
    library: 'says whether the token has expired',
    version: () => firstLine('ruby', ['-e', 'require "oauth2/version"; puts OAuth2::Version.to_s']),
    command: () => ['ruby', join(CLIENTS, 'oauth2_client.rb')],
    missing: () => unless(succeeds('ruby', ['-e', 'require "oauth2"']), 'ruby-oauth2'),
  },
];
