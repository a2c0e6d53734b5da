import Type, { type Static } from 'typebox';
import { MOVED_MAX, moveApiUsers } from '../../admin/api-user-move.ts';
import { AppError } from '../../domain/app-error.ts';
import { apiUserFilter } from '../../domain/api-user-list.ts';
import { actorOf, type AdminApp } from './admin-app.ts';
import { force } from './api-user.routes.ts';
import { apiUserFilterParameters } from './api-user.wire.ts';
import { changeOf, type AdminContext } from './context.ts';
import { answerObject, closedObject, nullable, text } from './schema.ts';

const NAME_LENGTH_MAX = 300;
const ID_LENGTH_MAX = 100;

const moveSchema = closedObject({
  client_ids: Type.Optional(
    Type.Array(text('Client id, or username', NAME_LENGTH_MAX), {
      minItems: 1,
      maxItems: MOVED_MAX,
      description: 'The API users to move',
    }),
  ),
  filter: Type.Optional(
    closedObject(apiUserFilterParameters, {
      description: 'In place of `client_ids`: the API users that the list shows with this filter',
      minProperties: 1,
    }),
  ),
  organisation_id: nullable(text('The organisation to move them to; null: the platform', ID_LENGTH_MAX)),
  keep_credentials: Type.Optional(
    Type.Boolean({
      description:
        'The same people have them afterwards: credentials and tokens stay valid. Left out: they end',
    }),
  ),
  force: Type.Optional(force),
});

export function moveRoute(app: AdminApp, context: AdminContext): void {
  app.post(
    '/api-users/move',
    {
      config: { needs: 'admin', action: 'api_user.move' },
      schema: {
        tags: ['API users'],
        operationId: 'moveApiUsers',
        summary: 'Moves API users to an organisation or to the platform: all of them, or none.',
        description:
          `At most ${MOVED_MAX}. Removes their credentials and revokes their tokens, unless \`keep_credentials\` is true. Refused ` +
          'with all faults if the policy of the organisation forbids something, and with the code `unsafe` if a caller used one ' +
          'of the credentials in the last hour, unless `force` is true.',
        body: moveSchema,
        response: {
          200: answerObject('Moved', {
            moved: Type.Array(Type.String(), { description: 'Client ids' }),
            unchanged: Type.Array(Type.String(), {
              description: 'Client ids of those that were there before',
            }),
          }),
        },
      },
    },
    async (request) => {
      const { organisation_id: organisationId, keep_credentials: keep, force: forced } = request.body;
      return await moveApiUsers(changeOf(request, context), {
        apiUsers: selected(request.body) ?? apiUserFilter(request.body.filter ?? {}, actorOf(request)),
        organisationId,
        keepCredentials: keep === true,
        force: forced === true,
      });
    },
  );
}

function selected({ client_ids: clientIds, filter }: Static<typeof moveSchema>): readonly string[] | null {
  if ((clientIds === undefined) !== (filter === undefined)) return clientIds ?? null;
  const problem = 'Send either `client_ids` or `filter`.';
  throw new AppError('invalid', problem, { faults: [{ member: 'client_ids', problem }] });
}
