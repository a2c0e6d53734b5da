// A bare node:http server that refuses everything with Mintmark's response: the cheapest refusal on
// node:http. Arguments: port.
import { createServer } from 'node:http';
import { overloadedAnswer } from '../packages/server/src/http/error-response.ts';

const { status, headers, body } = overloadedAnswer('4bf92f3577b34da6a3ce929d0e0e4736');
const all = [...headers, 'Content-Type', 'application/json', 'Content-Length', String(body.length)];

createServer((_request, response) => {
  response.writeHead(status, all);
  response.end(body, 'latin1');
}).listen(Number(process.argv[2]), '127.0.0.1', () => console.log('ready'));
