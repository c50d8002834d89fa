import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';

/** What the numbers were measured on. */
export type Machine = {
  cores: number;
  processor: string;
  memoryGb: number;
  loadBefore: number;
  node: string;
  workerd: string;
  commit: string;
  at: string;
};

function versionOf(name: string): string {
  const manifest = createRequire(import.meta.url).resolve(`${name}/package.json`);
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
}

function commit(): string {
  try {
    const git = (...args: string[]): string =>
      execFileSync('git', args, {
        cwd: import.meta.dirname,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      }).trim();
    const isChanged = git('status', '--porcelain') !== '';
    return `${git('rev-parse', '--short', 'HEAD')}${isChanged ? ' with changes' : ''}`;
  } catch {
    return 'unknown';
  }
}

export const describeMachine = (): Machine => ({
  cores: availableParallelism(),
  processor: cpus()[0]?.model.trim() ?? 'unknown',
  memoryGb: Math.round(totalmem() / 1e9),
  loadBefore: loadavg()[0] ?? Number.NaN,
  node: process.version,
  workerd: versionOf('workerd'),
  commit: commit(),
  at: new Date().toISOString(),
});

export const formatMachine = (machine: Machine): string =>
  [
    `Rowloom benchmarks, ${machine.at}, commit ${machine.commit}`,
    `${machine.cores} cores (${machine.processor}), ${machine.memoryGb} GB; load ${machine.loadBefore.toFixed(2)} at the start`,
    `Node ${machine.node}, workerd ${machine.workerd}, production bundle; PostgreSQL 18 without fsync; clients, stand-ins and workerd share the cores`,
  ].join('\n');
