import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { createRedis } from '../../functions/clients/redis.ts';
import { createJob } from '../../functions/jobs/create-job.ts';
import { processChunk } from '../../functions/processing/process-chunk.ts';
import { uploadInput } from '../../functions/jobs/upload-input.ts';
import { startProviders } from '../../local/providers/index.ts';
import { startRedis } from '../../local/redis/index.ts';
import { accepted, csvOf, JobFixture, type Published } from '../support/job-fixture.ts';

/** What Workers grant an invocation; nothing local enforces it. */
const connections = 6;
const subrequests = 10_000;

let fixture: JobFixture;
let providers: Awaited<ReturnType<typeof startProviders>>;
let redis: Awaited<ReturnType<typeof startRedis>>;
beforeAll(async () => {
  [providers, redis] = await Promise.all([
    startProviders({ latencyMs: 3, llmStreamMs: 10 }),
    startRedis({ token: 'limits' }),
  ]);
  fixture = await JobFixture.open({
    MAX_ROWS: '30000',
    PARALLEL_INVOCATIONS: '1',
    PARALLEL_ROWS_PER_INVOCATION: '100',
    SERPER_BASE_URL: providers.serperUrl,
    LLM_BASE_URL: providers.llmUrl,
  });
});
afterEach(() => vi.unstubAllGlobals());
afterAll(async () => {
  await Promise.all([fixture.close(), providers.close(), redis.close()]);
});

/** Counts requests of this thread, whoever makes them: all and those that wait for their headers. */
function gauge() {
  const real = globalThis.fetch;
  const seen = { requests: 0, waiting: 0, mostWaiting: 0 };
  vi.stubGlobal('fetch', (...request: Parameters<typeof fetch>) => {
    seen.requests += 1;
    seen.waiting += 1;
    seen.mostWaiting = Math.max(seen.mostWaiting, seen.waiting);
    return real(...request).finally(() => {
      seen.waiting -= 1;
    });
  });
  return seen;
}

const companies = csvOf(60).replace('name,', 'company,');

async function chunkOfSixty(text = companies) {
  const userId = await fixture.newUser(60);
  const { job } = await createJob(fixture.ctx, { userId, filename: 'leads.csv' });
  fixture.published = [];
  await fixture.upload(userId, job.id, text);
  const [message] = fixture.messages();
  return message ?? expect.unreachable();
}

test('database, Redis and providers together: six requests at once wait for their headers', async () => {
  const ctx = { ...fixture.ctx, redis: createRedis({ url: redis.url, token: 'limits' }) };
  const message = await chunkOfSixty();
  const seen = gauge();
  expect(await processChunk(ctx, message)).toMatchObject({ outcome: 'committed' });
  expect(seen.mostWaiting).toBe(connections);
  // A search and a letter a row, the lease and the commit; the rest is Redis.
  expect(seen.requests).toBeGreaterThan(122);
  expect(seen.requests).toBeLessThan(122 + 25);
});

test('a chunk whose every row fails by itself stays far below the subrequests of an invocation', async () => {
  // The model answers everybody else, probes included: each row has its three tries.
  const message = await chunkOfSixty(companies.replaceAll('Bonn', 'FAIL_LLM'));
  const seen = gauge();
  expect(await processChunk(fixture.ctx, message)).toMatchObject({ outcome: 'committed' });
  const [job] = await fixture.query('select status, rows_failed from jobs where id = $1', [
    message.jobId,
  ]);
  expect(job).toEqual({ status: 'failed', rows_failed: 60 });
  expect(seen.mostWaiting).toBeLessThanOrEqual(connections);
  expect(seen.requests).toBeGreaterThanOrEqual(180);
  expect(seen.requests).toBeLessThan(subrequests / 10);
});

test('a long file goes out in batches that the queue takes, in few requests', async () => {
  const batches: Published[][] = [];
  const batchJSON = async (batch: Published[]) => {
    batches.push(batch);
    return accepted(batch);
  };
  const qstash = { batchJSON };
  const ctx = { ...fixture.ctx, qstash: qstash as never };
  const userId = await fixture.newUser(30_000);
  const { job } = await createJob(ctx, { userId, filename: 'leads.csv' });
  const text = csvOf(30_000);
  const seen = gauge();
  const body = new Response(text).body;
  await uploadInput(ctx, { userId, jobId: job.id, body, contentLength: text.length });
  const chunks = batches.flat();
  expect(chunks.map((message) => message.body.chunk)).toEqual(chunks.map((_, i) => i));
  expect(chunks.length).toBeGreaterThanOrEqual(500);
  for (const batch of batches) {
    expect(batch.length).toBeLessThanOrEqual(100);
    expect(JSON.stringify(batch).length).toBeLessThan(1_000_000);
  }
  // Quotes, brackets and commas of JSON.
  const json = text.length + 30_000 * 8;
  // Begin, an append per 600 kB, the user's standing, start, the pace of two providers, one a batch and a last one.
  expect(seen.requests).toBeLessThanOrEqual(7 + Math.ceil(json / 600_000) + batches.length + 1);
  expect(seen.mostWaiting).toBeLessThanOrEqual(connections);
});
