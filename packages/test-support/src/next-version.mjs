// Turns a process into the next version: adds one migration, which holds its tables for a while.
import { registerHooks } from 'node:module';

const ONE_MORE = `
migrations['999-next'] = {
  async up(db) {
    await db.schema.alterTable('api_users').addColumn('next', 'text', (column) => column.notNull().defaultTo('')).execute();
    await db.schema.alterTable('credentials').addColumn('next', 'bigint').execute();
    await db.schema.createIndex('api_users_next').on('api_users').columns(['next', 'client_id']).execute();
    await db.schema.createTable('next').addColumn('id', 'text', (column) => column.primaryKey()).execute();
    const heldMs = ${Number(process.env['NEXT_VERSION_HOLDS_MS'] ?? 0)};
    await new Promise((resolve) => setTimeout(resolve, heldMs));
  },
};
`;

/** By the end of its URL, what is added to a file. */
const ADDED = [
  ['/storage/migrations/names.ts', `\nMIGRATION_NAMES.push('999-next');\n`],
  ['/storage/migrations/index.ts', ONE_MORE],
];

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    const more = ADDED.find(([file]) => url.endsWith(file))?.[1];
    return more === undefined ? loaded : { ...loaded, source: Buffer.from(loaded.source).toString() + more };
  },
});
