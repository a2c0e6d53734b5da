// Several processes on one machine share one token: start npm run fleet-files many times, and the server sees
// one request. The folder holds the token: only its owner may read it.
import { Configuration, TokenManager } from '@mintmark/client';
import { FileTokenStore } from '@mintmark/client/file-store';

const [, , host = 'http://localhost:8080/marketing', directory = './tokens'] = process.argv;

const tokens = new TokenManager(Configuration.fromEnv({ host }), { store: new FileTokenStore(directory) });
const token = await tokens.getToken();
console.log(`process ${process.pid} has a token of ${token.length} characters`);
