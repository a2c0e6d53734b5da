// `node --import ./scripts/from-sources.mjs file.ts` imports this repository's packages from their sources,
// so that examples run in a clone without a build. Elsewhere the same import loads the published package.
import { registerHooks } from 'node:module';

const PACKAGE = /^@mintmark\/(client|testing|verifier)(?:\/([a-z-]+))?$/;
const SANDBOX = '../packages/server/src/server/sandbox/index.ts';

registerHooks({
  resolve(specifier, context, nextResolve) {
    if (specifier === 'mintmark/testing') return nextResolve(new URL(SANDBOX, import.meta.url).href, context);
    const [, name, file = 'index'] = PACKAGE.exec(specifier) ?? [];
    if (name === undefined) return nextResolve(specifier, context);
    const { href } = new URL(`../packages/${name}/src/${file}.ts`, import.meta.url);
    return nextResolve(href, context);
  },
});
