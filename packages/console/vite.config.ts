import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import type { Plugin, UserConfig } from 'vite';

/** The server serves the build, and its package holds it. */
const DIST: string = join(import.meta.dirname, '../server/console/dist');

/** Beside each asset the same in Brotli and gzip, so that the server compresses nothing while it serves. */
function compressed(): Plugin {
  return {
    name: 'mintmark-compressed',
    closeBundle() {
      const assets = join(DIST, 'assets');
      for (const file of readdirSync(assets)) {
        const content = readFileSync(join(assets, file));
        writeFileSync(join(assets, `${file}.br`), brotliCompressSync(content));
        writeFileSync(join(assets, `${file}.gz`), gzipSync(content, { level: 9 }));
      }
    },
  };
}

const config: UserConfig = {
  base: '/console/',
  plugins: [compressed()],
  build: {
    outDir: DIST,
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: false, // one script: over a bad connection every page is there once the first one is
    target: 'es2022',
    reportCompressedSize: false,
  },
};

export default config;
