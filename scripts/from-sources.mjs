// `node --import ./scripts/from-sources.mjs file.ts`: packages of this repository are imported from their sources, so that an
// example runs in a clone in which nothing was built. Elsewhere the same line imports the published package.
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
