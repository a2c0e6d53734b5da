// From credentials to data. MINTMARK_CLIENT_ID and MINTMARK_CLIENT_SECRET hold the credentials; the host is named here,
// or as here on the command line: node quickstart.ts http://localhost:8080/marketing http://localhost:9090/campaigns
import { Configuration, TokenManager } from '@mintmark/client';

const [, , host = 'http://localhost:8080/marketing', url = 'http://localhost:9090/campaigns'] = process.argv;

const tokens = new TokenManager(Configuration.fromEnv({ host }));
const response = await tokens.fetch(url);
console.log(await response.json());
