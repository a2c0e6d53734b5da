// `node --import ./scripts/from-sources.mjs file.ts` imports this repository's packages from their sources,
// so that examples run in a clone without a build. Elsewhere the same import loads the published package.
import { registerHooks } from 'node:module';

const PACKAGE = /^@mintmark\/(client|verifier)(?:\/([a-z-]+))?$/;

registerHooks({
  resolve(specifier, context, nextResolve) {
    const [, name, file = 'index'] = PACKAGE.exec(specifier) ?? [];
    if (name === undefined) return nextResolve(specifier, context);
    const { href } = new URL(`../packages/${name}/src/${file}.ts`, import.meta.url);
    return nextResolve(href, context);
  },
});
