// Writes API users and secrets at full speed until killed, and prints each acknowledged one.
import { SYSTEM } from '../../server/src/domain/actor.ts';
import { loadConfig } from '../../server/src/config/load-config.ts';
import { createApiUser, updateApiUser } from '../../server/src/admin/api-user.ts';
import { createSecret, retireCredential } from '../../server/src/admin/credential.ts';
import { openStore } from '../../server/src/store-files/open.ts';

/** One acknowledged write. */
export type Acknowledged =
  | { made: 'api user'; clientId: string; name: string }
  | { made: 'secret'; clientId: string; credentialId: string; secret: string }
  | { made: 'disabled'; clientId: string }
  | { made: 'retired'; credentialId: string };

const config = loadConfig(process.env);
const { store } = await openStore(config, { watch: false });

function acknowledge(written: Acknowledged): void {
  process.stdout.write(`${JSON.stringify(written)}\n`);
}

async function writeOn(worker: number): Promise<never> {
  for (let i = 0; ; i++) {
    const settings = {
      name: `written by ${worker}, number ${i}`,
      username: null,
      externalId: null,
      contact: null,
      scopes: ['campaigns:read'],
      audiences: [],
      limitPerMinute: null,
      allowedNetworks: [],
      claims: {},
      tokenLifeSeconds: null,
    };
    const { clientId, name } = await createApiUser({ store, actor: SYSTEM, nowMs: Date.now() }, settings);
    acknowledge({ made: 'api user', clientId, name });
    for (const which of ['first', 'second']) {
      const asked = { owner: clientId, name: which, expiresAt: null };
      const { credential, secret } = await createSecret({ store, actor: SYSTEM, nowMs: Date.now() }, asked);
      acknowledge({ made: 'secret', clientId, credentialId: credential.id, secret });
      if (which === 'second') {
        await retireCredential({ store, actor: SYSTEM, nowMs: Date.now() }, credential.id, { force: true });
        acknowledge({ made: 'retired', credentialId: credential.id });
      }
    }
    if (i % 3 === 2) {
      await updateApiUser({ store, actor: SYSTEM, nowMs: Date.now() }, clientId, { enabled: false });
      acknowledge({ made: 'disabled', clientId });
    }
  }
}

await Promise.all([writeOn(1), writeOn(2)]);
