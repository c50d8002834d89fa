import { setTimeout as delay } from 'node:timers/promises';
import type { Api, Job } from './api.ts';

const ended = new Set(['completed', 'failed', 'cancelled']);
const patienceMs = 30 * 60_000;

/** Splits a stream of Server-Sent Events into their data, one JSON text each. */
async function* eventData(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of body) {
    const blocks = (rest + decoder.decode(chunk, { stream: true })).split(/\r?\n\r?\n/);
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const data = block.split(/\r?\n/).filter((line) => line.startsWith('data:'));
      if (data.length > 0) yield data.map((line) => line.slice(5).trim()).join('\n');
    }
  }
}

/** Follows `/events` while the stream lasts; the API may end it early on purpose or by mishap. */
async function follow(api: Api, id: string, show: (job: Job) => void): Promise<Job | undefined> {
  const answer = await api.send('GET', `/v1/jobs/${id}/events`);
  if (!answer.body) return undefined;
  for await (const data of eventData(answer.body)) {
    const told = JSON.parse(data) as Job | { job: Job };
    const job = 'job' in told ? told.job : told;
    if (!job.rows) continue;
    show(job);
    if (ended.has(job.status)) return job;
  }
  return undefined;
}

/**
 * Watches a job to its end, by its events and, where they fail, by asking.
 * @throws Error if it has not ended after half an hour.
 */
export async function watchJob(api: Api, id: string, show: (job: Job) => void): Promise<Job> {
  const deadline = Date.now() + patienceMs;
  while (Date.now() < deadline) {
    const last = await follow(api, id, show).catch(() => undefined);
    if (last) break;
    const { job } = await readJob(api, id);
    show(job);
    if (ended.has(job.status)) return job;
    await delay(250);
  }
  // The stream's last word may be older than the final count.
  const { job } = await readJob(api, id);
  if (!ended.has(job.status)) throw new Error(`The job is still ${job.status}.`);
  show(job);
  return job;
}

/** A job, whether the API wraps it in `{job}` or not. */
async function readJob(api: Api, id: string): Promise<{ job: Job }> {
  const told = await api.json<Job | { job: Job }>('GET', `/v1/jobs/${id}`);
  return 'job' in told ? told : { job: told };
}
