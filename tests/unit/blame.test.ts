import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createBreaker, type Probe } from '../../functions/providers/breaker.ts';
import { callProvider, type Provider } from '../../functions/providers/call-provider.ts';
import { ProviderAway, ProviderError } from '../../functions/providers/errors.pure.ts';
import { deadlineIn, rowCtx } from '../support/rows.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const pass = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const probeMs = 20;
const unavailable = () => new ProviderError('Model answered 503', 'retryable');

/** A provider that works at some times, and whose probe takes a moment to say whether it does. */
function providerThat(works: (ms: number) => boolean) {
  const from = Date.now();
  const probes: number[] = [];
  const probe: Probe = async () => {
    probes.push(Date.now() - from);
    await pass(probeMs);
    const away = { provider: 'llm', reason: 'unavailable', detail: 'Model answered 503' } as const;
    return works(Date.now() - from) ? undefined : away;
  };
  const db = { call: async () => false, rows: async () => [] };
  const ctx = { ...rowCtx(), db: db as never };
  const turn = {
    tokens: 0,
    givenAt: 0,
    isCounted: true,
    isFree: true,
    serial: 0,
    tokensUpTo: 0,
    sentAt: 0,
  };
  const provider: Provider = {
    label: 'Model',
    fetch: () => Promise.reject(new Error('not used')),
    limiter: {
      turn: async () => turn,
      confirm: async () => {},
      succeeded: () => {},
      refused: () => {},
      pace: async () => undefined,
    },
    breaker: createBreaker(ctx, { provider: 'llm', known: undefined, probe }),
    deadline: deadlineIn(20_000, 27_000),
    now: Date.now,
  };
  /** A row whose calls take so long and fail while the provider does not work, or always if it is `broken`. */
  const row = (callMs: number, broken?: ProviderError, gone = unavailable) =>
    callProvider(provider, 0, async (call) => {
      await call.check();
      // It is settled when it is sent, as by a provider that refuses at once and takes its time to answer.
      const isWorked = works(Date.now() - from) && !broken;
      await pass(isWorked ? callMs : 1);
      if (!isWorked) throw broken ?? gone();
      return { answer: 'ok' };
    });
  return { row, probes };
}

async function settled<T>(work: Promise<T>[]) {
  const all = Promise.allSettled(work);
  await vi.advanceTimersByTimeAsync(60_000);
  return all;
}
const away = { status: 'rejected', reason: expect.any(ProviderAway) };

/** So many invocations of one row each: chance decides when each of them tries. */
const alone = (count: number, work: () => Promise<unknown>[]) =>
  settled(Array.from({ length: count }, work).flat());

const expectNoneToBlame = (outcomes: PromiseSettledResult<unknown>[]) => {
  for (const one of outcomes) if (one.status === 'rejected') expect(one).toMatchObject(away);
};

test('an answer that was under way when the provider went does not put the blame on rows', async () => {
  const outcomes = await alone(50, () => {
    const { row } = providerThat((ms) => ms < 10);
    return [row(600), pass(20).then(() => row(100))];
  });
  expectNoneToBlame(outcomes);
  expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(50);
});

test("a probe's word says nothing of what fails after it", async () => {
  const outcomes = await alone(50, () => {
    const { row } = providerThat((ms) => ms < 50);
    const own = row(100, new ProviderError('Model answered 400', 'final')).catch(
      ({ message }) => message as unknown,
    );
    return [own, pass(60).then(() => row(100))];
  });
  expect(outcomes.filter((_, i) => i % 2 === 0)).toContainEqual({
    status: 'fulfilled',
    value: 'Model answered 400',
  });
  expectNoneToBlame(outcomes);
});

test.each([300, 700, 1500, 2500])(
  'an outage of %i ms that ends while rows try fails none of them',
  async (lengthMs) => {
    expectNoneToBlame(await alone(200, () => [providerThat((ms) => ms >= lengthMs).row(100)]));
  },
);

test('a row that fails while the provider works before and after is its own trouble', async () => {
  const { row, probes } = providerThat(() => true);
  const [one] = await settled([row(100, unavailable())]);
  expect(one).toMatchObject({ reason: { message: 'Model answered 503' } });
  expect(probes).toHaveLength(2);
});

test.each([5, 15])(
  'a refusal of everybody that is mended after %i ms, as a probe asks, fails no row',
  async (lengthMs) => {
    const gone = () => new ProviderError('Model answered 404', 'denied');
    const outcomes = await alone(50, () => [
      providerThat((ms) => ms >= lengthMs).row(100, undefined, gone),
    ]);
    expect(outcomes).toEqual(outcomes.map(() => ({ status: 'fulfilled', value: 'ok' })));
  },
);
