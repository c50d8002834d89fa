import { watch } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Stack } from './stack.ts';
import { root } from './stack/settings.ts';
import { onStopSignal } from './stack/signals.ts';

const usage = `Usage: npm run dev -- [--port N] [--ephemeral] [--json]
  --port N      port of the API (default 8787)
  --ephemeral   fresh state, gone at the end, and free ports
  --json        one line of JSON on stdout when ready, all else on stderr
`;

type Flags = { port?: number; ephemeral: boolean; json: boolean };

function readFlags(args: string[]): Flags {
  const { values } = parseArgs({
    args,
    options: {
      port: { type: 'string' },
      ephemeral: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  const { ephemeral, json } = values;
  if (values.port === undefined) return { ephemeral, json };
  const port = Number(values.port);
  if (!/^\d+$/.test(values.port) || port < 1 || port > 65_535)
    throw new Error(`--port takes a number from 1 to 65535, not "${values.port}"`);
  return { port, ephemeral, json };
}

const say = (text: string): void => void process.stderr.write(`${text}\n`);

async function summary(stack: Stack, seconds: number): Promise<string> {
  const token = stack.secrets['authJwtSecret']
    ? await stack.token('user-1', 'ada@example.com')
    : 'YOUR_TOKEN';
  const colour = process.stdout.isTTY && !process.env['NO_COLOR'];
  const bold = (text: string): string => (colour ? `\u001B[1m${text}\u001B[0m` : text);
  const { services } = stack;
  const lines = Object.entries(services).map(([name, url]) => `  ${name.padEnd(11)}${url}`);
  const curl = 'curl -H "Authorization: Bearer $TOKEN"';
  return `
${bold('Rowloom is up')} after ${seconds.toFixed(1)} s

  ${bold('api'.padEnd(11))}${bold(stack.api)}   (${stack.api}/docs)
${lines.join('\n')}

${bold('Who am I')}
  TOKEN=${token}
  ${curl} ${stack.api}/v1/me

${bold('Buy')}: the answer's url is a page of ${services.stripe} to pay or decline on
  ${curl} ${stack.api}/v1/billing/plans
  ${curl} --json '{"plan":"KEY"}' ${stack.api}/v1/billing/checkout

${bold('Another user')}: npm run token -- SUB EMAIL      ${bold('Stop')}: Ctrl-C
`;
}

/** Builds and restarts the Worker when its sources change; a build that fails leaves the old one. */
function reloadOnChange(stack: Stack): void {
  let timer: NodeJS.Timeout | undefined;
  let last = Promise.resolve();
  const reload = (): void => {
    last = last
      .then(() => stack.worker.reload())
      .then(() => say('The Worker was built anew.'))
      .catch((error: Error) => say(error.message));
  };
  for (const path of ['functions', 'schema.ts'])
    watch(join(root, path), { recursive: true }, () => {
      clearTimeout(timer);
      timer = setTimeout(reload, 300);
    }).unref();
}

/** Runs the stack until a signal comes or a part of it dies. Gives the exit code. */
async function main(flags: Flags): Promise<number> {
  const stop = new AbortController();
  const stopped = new Promise<number>((resolve) => {
    stop.signal.addEventListener('abort', () => resolve(stop.signal.reason as number));
  });
  onStopSignal((name) => {
    say(`${name}: stopping (again to force)`);
    stop.abort(0);
  });
  const onDeath = (what: string): void => {
    say(`${what}. The stack stops.`);
    stop.abort(1);
  };
  const begin = performance.now();
  let stack: Stack;
  try {
    const { startStack } = await import('./stack.ts');
    stack = await startStack({ ...flags, signal: stop.signal, onDeath });
  } catch (error) {
    if (stop.signal.aborted) return stop.signal.reason as number;
    say(error instanceof Error ? error.message : String(error));
    return 1;
  }
  const { api, services, secrets } = stack;
  process.stdout.write(
    flags.json
      ? `${JSON.stringify({ event: 'ready', api, services, secrets })}\n`
      : await summary(stack, (performance.now() - begin) / 1000),
  );
  reloadOnChange(stack);
  const code = await stopped;
  await stack.close();
  return code;
}

// Whatever a module logs, stdout is for the ready line.
console.log = console.error;
let flags: Flags;
try {
  flags = readFlags(process.argv.slice(2));
} catch (error) {
  say(`${(error as Error).message}\n${usage}`);
  process.exit(2);
}
process.exit(await main(flags));
