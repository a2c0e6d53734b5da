import type { AdminApp } from '../../../http/admin/admin-app.ts';
import { answerObject, closedObject, iso, time } from '../../../http/admin/schema.ts';
import { InvalidInput, spanMs } from '../span.ts';
import type { CurrentSandbox } from './current-sandbox.ts';
import { span } from './span.wire.ts';

const TAG = { tags: ['Clock'] };
const clockSchema = answerObject('The clock of the sandbox', { now: time('The time of the clock') });

/** Texts of later times have more than four digits in the year. */
const LAST_MS = Date.UTC(9999, 0);

export function clockRoutes(app: AdminApp, sandbox: CurrentSandbox): void {
  app.get(
    '/clock',
    {
      schema: {
        ...TAG,
        operationId: 'getClock',
        summary:
          'The time of the sandbox. It runs like that of this machine, ahead of it by what was advanced.',
        response: { 200: clockSchema },
      },
    },
    async () => await sandbox.use(({ clock }) => ({ now: iso(clock.now()) })),
  );
  app.post(
    '/clock/advance',
    {
      schema: {
        ...TAG,
        operationId: 'advanceClock',
        summary: 'Moves the clock forward: tokens expire, keys rotate, secrets age.',
        description: 'The clock of the client does not move.',
        body: closedObject({ by: span('How far') }),
        response: { 200: clockSchema },
      },
    },
    async ({ body }) =>
      await sandbox.use(async ({ clock }) => {
        if (clock.now() + spanMs(body.by, 'by') > LAST_MS)
          throw new InvalidInput('by: the clock ends with the year 9998: reset the sandbox.');
        await clock.advance(body.by);
        return { now: iso(clock.now()) };
      }),
  );
}
