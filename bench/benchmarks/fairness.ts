import { setTimeout as pause } from 'node:timers/promises';
import type { Benchmark, Table } from '../support/benchmark.ts';
import { jobStack, runJob } from '../support/job-run.ts';
import { type Setting, withStack } from '../support/setting.ts';

/** When the small jobs come: the large one is in the middle of its first and of its second wave. */
const moments = [5, 22];
const [large, small] = [20_000, 20];

async function measure(setting: Setting): Promise<Table> {
  const token = (name: string): Promise<string> =>
    setting.stack.token(`bench-${name}`, `${name}@example.com`, { verified: true });
  const [giant, other] = await Promise.all([token('giant'), token('other')]);
  await runJob(setting, giant, 200);
  const alone = await runJob(setting, giant, small);
  const rows: Table['rows'] = [
    { job: `${small} rows, nothing else running`, 'started after s': null, seconds: alone.seconds },
  ];
  const began = Date.now();
  const running = runJob(setting, giant, large);
  for (const moment of moments) {
    await pause(began + moment * 1000 - Date.now());
    const [own, theirs] = await Promise.all([
      runJob(setting, giant, small),
      runJob(setting, other, small),
    ]);
    const behind = `behind ${large} rows`;
    rows.push(
      {
        job: `${small} rows of the same user, ${behind}`,
        'started after s': moment,
        seconds: own.seconds,
      },
      {
        job: `${small} rows of another user, ${behind}`,
        'started after s': moment,
        seconds: theirs.seconds,
      },
    );
  }
  const { seconds } = await running;
  rows.push({ job: `${large} rows`, 'started after s': 0, seconds });
  return {
    title: 'fairness: small jobs behind a large one',
    rows,
    notes: ['The latencies and the parallelism of the jobs benchmark; both small jobs at once.'],
  };
}

export const fairness: Benchmark = {
  name: 'fairness',
  about: 'a job of 20 rows that comes while one of 20,000 is running (about two minutes)',
  run: () => withStack(jobStack, async (setting) => [await measure(setting)]),
};
