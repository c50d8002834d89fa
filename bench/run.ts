/**
 * `npm run bench`: measures the production bundle under workerd against the local stack and prints
 * tables. Starts and stops everything itself. Exit code 1 when a benchmark fails or its data is
 * wrong, 2 for a wrong command line.
 */
import { writeFileSync } from 'node:fs';
import { bundle } from './benchmarks/bundle.ts';
import { columns } from './benchmarks/columns.ts';
import { lookBefore } from './benchmarks/look.ts';
import { fairness } from './benchmarks/fairness.ts';
import { jobs } from './benchmarks/jobs.ts';
import { limits } from './benchmarks/limits.ts';
import { outages } from './benchmarks/outages.ts';
import { output } from './benchmarks/output.ts';
import { reads } from './benchmarks/reads.ts';
import { reconcile } from './benchmarks/reconcile.ts';
import { sweeps } from './benchmarks/sweeps.ts';
import { upload } from './benchmarks/upload.ts';
import { uploadMemory } from './benchmarks/upload-memory.ts';
import { webhooks } from './benchmarks/webhooks.ts';
import type { Benchmark, Table } from './support/benchmark.ts';
import { describeMachine, formatMachine } from './support/machine.ts';
import { type Options, readOptions, UsageError } from './support/options.ts';
import { formatTable } from './support/table.ts';

const benchmarks: Benchmark[] = [
  webhooks,
  reads,
  jobs,
  columns,
  lookBefore,
  fairness,
  upload,
  uploadMemory,
  limits,
  outages,
  output,
  reconcile,
  sweeps,
  bundle,
];

const usage = [
  'npm run bench -- [--only NAME[,NAME]] [--quick | --full] [--json FILE] [--against DIR]',
  '',
  ...benchmarks.map(({ name, about }) => `  ${name.padEnd(15)}${about}`),
  '',
  '  --quick     small sizes, one round',
  '  --full      the jobs of 10,000 and 50,000 rows too: several minutes',
  '  --json FILE writes the numbers as JSON',
  '  --against DIR  webhooks: by turns with another checkout of the project',
].join('\n');

type Result = { name: string; seconds: number; tables: Table[]; error: string | null };

async function runOne(benchmark: Benchmark, options: Options): Promise<Result> {
  const { name } = benchmark;
  const start = performance.now();
  const seconds = (): number => (performance.now() - start) / 1000;
  try {
    const tables = await benchmark.run(options);
    console.log(`\n${tables.map(formatTable).join('\n\n')}`);
    return { name, seconds: seconds(), tables, error: null };
  } catch (error) {
    console.error(`\n${name} failed:`, error);
    return { name, seconds: seconds(), tables: [], error: String(error) };
  }
}

async function main(): Promise<number> {
  const names = benchmarks.map(({ name }) => name);
  let options: Options;
  try {
    options = readOptions(process.argv.slice(2), names);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`${error.message}\n\n${usage}`);
    return 2;
  }
  if (options.help) {
    console.log(usage);
    return 0;
  }
  const machine = describeMachine();
  console.log(formatMachine(machine));
  const chosen = benchmarks.filter(
    ({ name }) => options.only.length === 0 || options.only.includes(name),
  );
  const results: Result[] = [];
  for (const benchmark of chosen) results.push(await runOne(benchmark, options));
  if (options.json !== undefined) {
    const { quick, full } = options;
    const report = { machine, quick, full, benchmarks: results };
    writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
  }
  return results.some(({ error }) => error !== null) ? 1 : 0;
}

// What was started is ended by the exit handlers of the stack.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
process.exitCode = await main();
