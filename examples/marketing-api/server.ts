// A small API of the platform: GET /v1/portfolio gives the advertisers that the caller may manage. Three lines protect
// it: the verifier, protect(), and the scope. Beside a token server (npm start), in a clone:
//   npm run marketing-api -- http://localhost:8080/marketing 9090
import { createServer } from 'node:http';
import { createVerifier, protectedResource } from '@mintmark/verifier';
import { createProtect, metadataHandler } from '@mintmark/verifier/node-http';
import { ADVERTISERS } from './portfolio.ts';

const [, , issuer = 'http://localhost:8080/marketing', port = '9090'] = process.argv;
const url = `http://localhost:${port}`;
// Tokens for this API have its URL as their audience: mintmark api-user create … --audience http://localhost:9090
const audience = process.env['API_AUDIENCE'] ?? url;

const resource = protectedResource({ resource: url, issuers: [issuer], scopes: ['campaigns:read'] });
const verifier = createVerifier({
  issuer,
  audience,
  resourceMetadataUrl: resource.url,
  onKeySetFailure: (error) => console.error('the keys of the issuer could not be fetched:', error),
});
const protect = createProtect(verifier);

const portfolio = protect({ scope: 'campaigns:read' }, (_request, response, caller) => {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ caller: caller.clientId, advertisers: ADVERTISERS }));
});
const metadata = metadataHandler(resource);

const server = createServer((request, response) => {
  const { pathname } = new URL(request.url ?? '/', url);
  if (pathname === '/v1/portfolio' && request.method === 'GET') {
    portfolio(request, response).catch((error: unknown) => {
      console.error('the portfolio could not be given:', error);
      if (!response.headersSent) response.writeHead(500);
      response.end();
    });
  } else if (pathname === resource.path && request.method === 'GET') metadata(request, response);
  else response.writeHead(404).end();
});
server.listen(Number(port), '127.0.0.1', () => console.log(`GET ${url}/v1/portfolio`));
process.once('SIGTERM', () => server.close());
