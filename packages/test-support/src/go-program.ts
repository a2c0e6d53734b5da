import { spawnSync } from 'node:child_process';

/** Debian's packages of Go are in this GOPATH, and have no modules. */
export const GO_ENV: Readonly<Record<string, string>> = {
  GO111MODULE: 'off',
  GOPATH: '/usr/share/gocode',
  GOFLAGS: '',
};

/** False if Go and golang.org/x/oauth2 are installed; else the reason to skip. CI requires them. */
export function goMissing(): string | false {
  const env = { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '', ...GO_ENV };
  const { status } = spawnSync('go', ['list', 'golang.org/x/oauth2/clientcredentials'], { env });
  if (status === 0) return false;
  const how = 'Go is missing: apt-get install golang-go golang-golang-x-oauth2-dev';
  if (process.env['CI'] === 'true') throw new Error(how);
  console.warn(`\n*** These tests are skipped. ${how} ***\n`);
  return how;
}
