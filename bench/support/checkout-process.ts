/** Runs the stack of the checkout at a folder for `checkout.ts`, started as that checkout does it. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { startStack as startOurs } from '../../local/stack.ts';

const [, , directory = ''] = process.argv;
const path = pathToFileURL(join(directory, 'local/stack.ts')).href;
const { startStack } = (await import(path)) as { startStack: typeof startOurs };

const stack = await startStack({
  ephemeral: true,
  environment: {},
  crons: false,
  logLevel: 'error',
  env: { RATE_LIMIT_PER_MINUTE: '1000000000' },
});
process.once('disconnect', () => void stack.close().finally(() => process.exit()));
process.send?.({
  api: stack.api,
  databaseUrl: stack.services.postgres,
  proxy: stack.services.neon,
  workerd: stack.worker.pid,
  env: stack.env,
});
