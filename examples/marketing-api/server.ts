// A small API of the platform. GET /v1/portfolio returns the advertisers that the caller may manage, and
// GET /v1/campaigns/{id} the figures of a campaign. Three lines protect a route: the verifier, protect(), and the scope.
// Beside a token server (npm start), in a clone: npm run marketing-api -- http://localhost:8080/marketing 9090
import { createServer } from 'node:http';
import { createVerifier, protectedResource } from '@mintmark/verifier';
import { createProtect, metadataHandler } from '@mintmark/verifier/node-http';
import { ADVERTISERS, figuresOf } from './portfolio.ts';

const [, , issuer = 'http://localhost:8080/marketing', port = '9090'] = process.argv;
const url = `http://localhost:${port}`;
// The audience names the API that a token is for. API users without their own audience get tokens for the
// whole platform, whose audience is the issuer; tokens for this API alone (api-user create … --audience
// http://localhost:9090) carry its URL.
const audience = process.env['API_AUDIENCE']?.split(' ') ?? [issuer, url];

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
const campaign = protect({ scope: 'campaigns:read' }, (request, response) => {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(figuresOf(Number(request.url?.split('/').at(-1)))));
});
const metadata = metadataHandler(resource);

const server = createServer((request, response) => {
  const { pathname } = new URL(request.url ?? '/', url);
  const route =
    pathname === '/v1/portfolio' ? portfolio : /^\/v1\/campaigns\/\d+$/.test(pathname) && campaign;
  if (route && request.method === 'GET') {
    route(request, response).catch((error: unknown) => {
      console.error(`GET ${pathname} failed:`, error);
      if (!response.headersSent) response.writeHead(500);
      response.end();
    });
  } else if (pathname === resource.path && request.method === 'GET') metadata(request, response);
  else response.writeHead(404).end();
});
server.listen(Number(port), '127.0.0.1', () => console.log(`GET ${url}/v1/portfolio`));
process.once('SIGTERM', () => server.close());
