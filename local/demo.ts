import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { basename, dirname, extname, join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { readInput } from './demo/csv.ts';
import { createScreen } from './demo/screen.ts';
import { tell } from './demo/story.ts';
import type { Stack } from './stack.ts';
import { root } from './stack/settings.ts';
import { onStopSignal } from './stack/signals.ts';

const usage = `Usage: npm run demo -- [--csv FILE] [--rows N] [--latency MS] [--outage SECONDS]
                             [--out FILE] [--json]
  --csv FILE        what to send (default data/sp500.csv, 503 companies)
  --rows N          send exactly N rows of it, over and over if need be
  --latency MS      of each provider call (default 300)
  --outage SECONDS  take the model away for so long in the middle
  --out FILE        where the result goes (default out/NAME-results.csv)
  --json            one JSON object on the last line of stdout, all else on stderr
`;

type Flags = {
  csv: string;
  rows: number | undefined;
  latencyMs: number;
  outageSeconds: number | undefined;
  out: string;
  json: boolean;
};

function wholeNumber(name: string, text: string, least: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= 1_000_000) return value;
  throw new Error(`--${name} takes a whole number from ${least} to 1000000, not "${text}"`);
}

function readFlags(args: string[]): Flags {
  const text = { type: 'string' } as const;
  const options = {
    csv: text,
    rows: text,
    latency: text,
    outage: text,
    out: text,
    json: { type: 'boolean' },
  } as const;
  const { values } = parseArgs({ args, options });
  // npm runs us in the repository; the user's own folder is where relative names belong.
  const here = process.env['INIT_CWD'] ?? process.cwd();
  const csv = values.csv === undefined ? join(root, 'data/sp500.csv') : resolve(here, values.csv);
  if (!existsSync(csv)) throw new Error(`There is no file ${csv}`);
  const name = basename(csv, extname(csv));
  const out =
    values.out === undefined ? join(root, 'out', `${name}-results.csv`) : resolve(here, values.out);
  const { rows, latency = '300', outage } = values;
  return {
    csv,
    rows: rows === undefined ? undefined : wholeNumber('rows', rows, 1),
    latencyMs: wholeNumber('latency', latency, 0),
    outageSeconds: outage === undefined ? undefined : wholeNumber('outage', outage, 1),
    out,
    json: values.json ?? false,
  };
}

/** Starts the stack, tells the story, stops the stack. Gives the exit code. */
async function main(flags: Flags): Promise<number> {
  const { csv, rows, latencyMs, outageSeconds, out, json } = flags;
  const stream = json ? process.stderr : process.stdout;
  const plain = json || !stream.isTTY || Boolean(process.env['NO_COLOR']);
  const screen = createScreen(stream, plain);
  const stop = new AbortController();
  let stack: Stack | undefined;
  onStopSignal(() => {
    stop.abort();
    screen.failure('Stopping');
    // In mid-story the stack closes under it; what the story then throws is no news.
    if (stack) void stack.close().then(() => process.exit(130));
  });
  const log = join(dirname(out), `${basename(out, extname(out))}.log`);
  try {
    mkdirSync(dirname(out), { recursive: true });
    rmSync(log, { force: true });
    const input = await readInput(csv, rows);
    const total = input.table.rows.length.toLocaleString('en-US');
    screen.title('Rowloom: leads in a CSV, researched and answered, paid with credits');
    const isOurs = csv === join(root, 'data/sp500.csv');
    screen.note(
      `${relative(process.cwd(), csv)}: ${total} rows${isOurs ? ' (public domain)' : ''}`,
    );
    screen.begin('Start the local stack');
    const begin = performance.now();
    const onDeath = (what: string): void => screen.failure(what);
    const { startStack } = await import('./stack.ts');
    stack = await startStack({ ephemeral: true, latencyMs, log, signal: stop.signal, onDeath });
    screen.done(
      `Started the local stack in ${((performance.now() - begin) / 1000).toFixed(1)} s: ${stack.api}`,
    );
    const { result, problems } = await tell({
      stack,
      screen,
      input,
      file: csv,
      out,
      outageSeconds,
    });
    for (const problem of problems) screen.failure(problem);
    await stack.close();
    if (problems.length === 0) rmSync(log, { force: true });
    if (json) process.stdout.write(`${JSON.stringify(result)}\n`);
    return problems.length === 0 ? 0 : 1;
  } catch (error) {
    if (!stop.signal.aborted) {
      screen.failure(error instanceof Error ? error.message : String(error));
      if (existsSync(log)) screen.note(`The Worker's log: ${relative(process.cwd(), log)}`);
    }
    await stack?.close();
    return stop.signal.aborted ? 130 : 1;
  }
}

console.log = console.error;
let flags: Flags;
try {
  flags = readFlags(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n${usage}`);
  process.exit(2);
}
process.exit(await main(flags));
