import type { Benchmark, Effort, Table } from '../support/benchmark.ts';
import { createJob, jobStack, limits } from '../support/job-run.ts';
import { csvOf, leadHeader, leadRows } from '../support/leads.ts';
import { expectStatus } from '../support/load.ts';
import { percentile } from '../support/numbers.ts';
import { type Setting, withStack } from '../support/setting.ts';

const megabyte = 1_000_000;
const sampleRows = 3;

type Call = { ms: number; status: number };

async function call(setting: Setting, token: string, method: string, path: string, body?: object) {
  const begin = performance.now();
  const answer = await fetch(setting.stack.api + path, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body && { body: JSON.stringify(body) }),
  });
  await answer.arrayBuffer();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status}`);
  return { ms: performance.now() - begin, status: answer.status } satisfies Call;
}

/** What is asked between the end of an upload and the start of its run. */
async function look(setting: Setting, token: string, input: { block: Buffer; times: number }) {
  const { stack, load } = setting;
  const { id, url } = await createJob(setting, token, { start: 'manual' });
  const head = `${leadHeader.join(',')}\n`;
  const bytes = head.length + input.block.length * input.times;
  const sent = await load.perform({ kind: 'upload', url, token, head, block: input.block, bytes });
  expectStatus(sent, 202);
  const path = `/v1/jobs/${id}`;
  const trips = setting.roundTrips();
  const first = await call(setting, token, 'GET', `${path}/preview`);
  const previewTrips = setting.roundTrips() - trips;
  const previews: number[] = [];
  for (let i = 0; i < 30; i += 1)
    previews.push((await call(setting, token, 'GET', `${path}/preview`)).ms);
  const rows = await call(setting, token, 'GET', `${path}/rows`);
  await fetch(`${stack.handles.providers?.url}/_local/stats?reset`);
  const sample = await call(setting, token, 'POST', `${path}/sample`, { rows: sampleRows });
  const again = await call(setting, token, 'POST', `${path}/sample`, { rows: sampleRows });
  const seen = stack.handles.providers?.stats();
  await call(setting, token, 'DELETE', path);
  return {
    MB: bytes / megabyte,
    'first preview ms': first.ms,
    'preview p50 ms': percentile(previews, 0.5),
    'DB trips': previewTrips,
    'rows, a page ms': rows.ms,
    'sample of 3 ms': sample.ms,
    'again ms': again.ms,
    'searches + model calls': (seen?.search.requests ?? 0) + (seen?.llm.requests ?? 0),
  };
}

async function measure(setting: Setting, { quick }: Effort): Promise<Table[]> {
  const token = await setting.stack.token('bench-look', 'l@example.com', { verified: true });
  const thousand = Buffer.from(csvOf(leadRows(1000)));
  const large = Math.floor(((quick ? 20 : 100) * megabyte) / thousand.length);
  const rows: Table['rows'] = [];
  // The second of each size is warm.
  for (const times of [1, 1, large, large]) {
    const seen = await look(setting, token, { block: thousand, times });
    rows.push({ rows: 1000 * times, ...seen });
  }
  const note = `One provider round is a search of ${limits.searchMs} ms and an answer of ${limits.llmFirstByteMs + limits.llmStreamMs} ms. The same sample again costs nothing. Of the large file the same thousand rows come over and over.`;
  return [{ title: 'look: from the end of an upload to three sampled rows', rows, notes: [note] }];
}

export const lookBefore: Benchmark = {
  name: 'look',
  about: 'preview, rows and a sample of three, of 1,000 rows and of 100 MB',
  run: (effort) =>
    withStack({ ...jobStack, env: { ...jobStack.env, MAX_ROWS: '1000000' } }, (setting) =>
      measure(setting, effort),
    ),
};
