// From credentials to data: npm run quickstart, with the credentials that npm start printed in MINTMARK_CLIENT_ID and
// MINTMARK_CLIENT_SECRET. Another server: npm run quickstart -- http://localhost:8080/marketing http://localhost:9090/v1/portfolio
import { Configuration, TokenManager } from '@mintmark/client';

const [, , host = 'http://localhost:8080/marketing', url = 'http://localhost:9090/v1/portfolio'] =
  process.argv;

const tokens = new TokenManager(Configuration.fromEnv({ host }));
const response = await tokens.fetch(url);
if (!response.ok) throw new Error(`${url} answered ${response.status}: ${await response.text()}`);
console.log(await response.json());
