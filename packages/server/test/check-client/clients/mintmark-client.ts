// @mintmark/client, as its README has it.
import { Configuration, TokenManager } from '@mintmark/client';
import { makeCalls, variable } from './calls.ts';

const tokens = new TokenManager(Configuration.fromEnv({ host: variable('MINTMARK_ISSUER') }));
await makeCalls((url) => tokens.fetch(url));
