import type { ConsoleConfig } from '../../server/src/http/public/console-pages.ts';

/** Settings that the server wrote into the document. */
export const config: Readonly<ConsoleConfig> = read();

function read(): ConsoleConfig {
  const content = document.querySelector('meta[name="mintmark-console"]')?.getAttribute('content');
  if (content === null || content === undefined) throw new Error('The document has no mintmark-console.');
  return JSON.parse(content) as ConsoleConfig;
}
