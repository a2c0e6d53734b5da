/** How the processes of one server start, work and log. */
export const PROCESS_SETTINGS = {
  firstApiUser: {
    type: 'flag',
    env: 'MINTMARK_FIRST_API_USER',
    value: '<true|false>',
    default: 'true',
    help: 'Create an API user when an empty store is started, and print its secret once.',
  },
  logLevel: {
    type: 'logLevel',
    env: 'MINTMARK_LOG_LEVEL',
    default: 'info',
    help: 'Least severe log lines to write.',
  },
  logFormat: {
    type: 'logFormat',
    env: 'MINTMARK_LOG_FORMAT',
    default: 'auto',
    help: 'Form of log lines: json for programs, text for people; auto: text on a terminal.',
  },
  workers: {
    type: 'whole',
    env: 'MINTMARK_WORKERS',
    value: '<number>',
    default: 0,
    min: 0,
    max: 256,
    help: 'Worker processes that serve, at most one for each core; 0 or 1: this process serves alone.',
  },
  inFlightMax: {
    type: 'whole',
    env: 'MINTMARK_IN_FLIGHT_MAX',
    value: '<number>',
    default: 250,
    min: 1,
    max: 1_000_000,
    help: 'Most requests of API users that a process starts in one turn of its event loop; four times as many in a burst, and four times as many may wait for something. The excess gets 503.',
  },
} as const;
