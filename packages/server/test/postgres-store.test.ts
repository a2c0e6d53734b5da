import { after, before, describe } from 'node:test';
import { everyStoreContract } from './store-contracts.ts';
import { startPostgres, type TestPostgres } from './support/postgres.ts';
import { postgresMissing } from './support/postgres-binaries.ts';
import { postgresStore } from './support/postgres-store.ts';

describe('the store on PostgreSQL', { skip: postgresMissing() }, () => {
  let server: TestPostgres;
  before(async () => {
    server = await startPostgres();
  });
  after(() => server[Symbol.asyncDispose]());

  everyStoreContract(() => postgresStore(server));
});
