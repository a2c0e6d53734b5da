// Test setup: PostgreSQL, own store, own limits, first.
import { after, before, describe } from 'node:test';
import { everyStoreContract } from './store-contracts.ts';
import { startPostgres, type TestPostgres } from '@mintmark/test-support/postgres';
import { postgresMissing } from '@mintmark/test-support/postgres-binaries';
import { postgresStore } from '@mintmark/test-support/postgres-store';

describe('the store on PostgreSQL', { skip: postgresMissing() }, () => {
  let server: TestPostgres;
  before(async () => {
    server = await startPostgres();
  });
  after(() => server[Symbol.asyncDispose]());

  everyStoreContract(() => postgresStore(server));
});
