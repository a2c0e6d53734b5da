import '../../../scripts/from-sources.mjs';
import type { Mintmark, MintmarkOptions } from '../src/index.ts';

const testing = await import('../src/index.ts');

export const startMintmark: (options?: MintmarkOptions) => Promise<Mintmark> = testing.startMintmark;
