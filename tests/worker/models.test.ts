import { afterAll, afterEach, expect, test } from 'vitest';
import { startProviders } from '../../local/providers/index.ts';
import { assertBooksHold } from '../support/ledger-invariants.ts';
import { mend, play, untilWaiting } from '../support/outages.ts';
import { someone, startRig } from '../support/worker.ts';
import { waitFor } from '../support/worker-client.ts';
import { companies } from '../support/worker-csv.ts';

const [first, second] = await Promise.all([
  startProviders({ latencyMs: 100, llmStreamMs: 5 }),
  startProviders({ latencyMs: 100, llmStreamMs: 5 }),
]);
const model = (name: string, baseUrl: string) => ({
  name,
  baseUrl,
  model: 'openai/gpt-oss-120b',
  keyName: 'LLM_API_KEY',
});
const rig = await startRig({
  env: {
    PARALLEL_INVOCATIONS: '4',
    PARALLEL_ROWS_PER_INVOCATION: '4',
    LLM_MODELS: JSON.stringify([model('main', first.llmUrl), model('spare', second.llmUrl)]),
  },
  qstash: { parallelism: 4 },
});
const rows = 80;
const answersOf = (one: typeof first) => one.stats().llm.statuses['200'] ?? 0;

afterEach(async () => {
  await Promise.all([play([], first), play([], second)]);
  await mend(rig);
});
afterAll(async () => {
  await assertBooksHold(rig.database.pool);
  await Promise.all([rig.close(), first.close(), second.close()]);
});

/** Runs a job in whose middle `change` happens; gives whether it ever waited. */
async function runThrough(change: () => Promise<void>) {
  const { token } = await rig.user(someone());
  const before = answersOf(first) + answersOf(second);
  const { id } = await rig.startJob(token, companies(rows, `Firm ${someone().slice(0, 8)}`));
  await waitFor(() => answersOf(first) + answersOf(second) >= before + 5);
  await change();
  let waited = false;
  const job = await waitFor(async () => {
    const seen = await rig.readJob(token, id);
    waited ||= seen.waiting !== null;
    return seen.status !== 'running' && seen;
  }, 30_000);
  expect(job).toMatchObject({
    status: 'completed',
    rows: { succeeded: rows, failed: 0 },
    credits: { charged: rows },
    usage: { searches: rows },
  });
  return { waited };
}

test('while all works the first model is asked, and it alone', async () => {
  await runThrough(async () => {});
  expect(second.stats().llm.requests).toBe(0);
});

test.each(['unavailable', 'refused', 'invalid-key', 'model-gone'] as const)(
  'the first one is away (%s): rows go on with the second, the job never waits',
  async (kind) => {
    const before = answersOf(second);
    const { waited } = await runThrough(() => play([{ provider: 'llm', kind }], first));
    expect(waited).toBe(false);
    expect(answersOf(second)).toBeGreaterThan(before + rows / 4);
  },
);

test('both are away: the job waits until one of them works again', async () => {
  const { token } = await rig.user(someone());
  for (const one of [first, second]) await play([{ provider: 'llm', kind: 'unavailable' }], one);
  const { id } = await rig.startJob(token, companies(20, `Firm ${someone().slice(0, 8)}`));
  expect(await untilWaiting(rig, token, id)).toMatchObject({
    status: 'running',
    waiting: { provider: 'main', reason: 'unavailable' },
  });
  await play([], second);
  expect(await rig.ended(token, id, 20_000)).toMatchObject({
    rows: { succeeded: 20, failed: 0 },
  });
});

// Last: what is learned of a limit is remembered.
test.each([5, 30])(
  'the first one is over its limit for %i s: rows go on with the second',
  async (retryAfterSeconds) => {
    const before = answersOf(second);
    const { waited } = await runThrough(() =>
      play([{ provider: 'llm', kind: 'rate-limit', retryAfterSeconds }], first),
    );
    expect(waited).toBe(false);
    expect(answersOf(second)).toBeGreaterThan(before + rows / 4);
  },
);
