/** The address on which the server listens, and the URLs by which callers know it. */
export const SERVER_SETTINGS = {
  host: {
    type: 'text',
    env: 'MINTMARK_HOST',
    value: '<address>',
    default: '127.0.0.1',
    help: 'Address to listen on. Only this machine reaches the default.',
  },
  port: {
    type: 'whole',
    env: 'MINTMARK_PORT',
    value: '<port>',
    default: 8080,
    min: 0,
    max: 65_535,
    help: 'Port to listen on; 0: any free one.',
  },
  basePath: {
    type: 'basePath',
    env: 'MINTMARK_BASE_PATH',
    value: '<path>',
    default: '/marketing',
    help: 'Path before /oauth2/token.',
  },
  issuer: {
    type: 'issuer',
    env: 'MINTMARK_ISSUER',
    value: '<url>',
    default: '',
    help: 'URL by which callers reach the base path: the `iss` of tokens. Default: http://localhost:<port><base path>.',
  },
  audience: {
    type: 'audience',
    env: 'MINTMARK_AUDIENCE',
    value: '<uri>',
    default: '',
    help: 'The `aud` of tokens of API users without an audience of their own. Default: the issuer.',
  },
} as const;
