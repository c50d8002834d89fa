import Stripe from 'stripe';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { fromStripe } from '../../functions/clients/stripe-errors.ts';
import { withStripeRetries } from '../../functions/clients/stripe.ts';
import { DomainError } from '../../functions/errors.ts';

type Play = (attempt: number, init: RequestInit) => Response | Promise<Response>;

let calls: { at: number; key: string | null }[];
beforeEach(() => {
  calls = [];
});

const json = (status: number, body: unknown, headers: Record<string, string> = {}) =>
  new Response(typeof body === 'string' ? body : JSON.stringify(body), { status, headers });
const error = (status: number, type = 'api_error', headers: Record<string, string> = {}) =>
  json(status, { error: { type, message: 'Words of Stripe’s own.' } }, headers);

/** The real SDK over our retries, on a wire that `play` answers. */
function client(play: Play, delayMs = 5): Stripe {
  const wire = async (_url: string | URL | Request, init: RequestInit = {}) => {
    calls.push({ at: Date.now(), key: new Headers(init.headers).get('idempotency-key') });
    return play(calls.length, init);
  };
  const timing = { tries: 3, delayMs, longestWaitMs: 10_000 };
  return new Stripe('sk_test_x', {
    httpClient: withStripeRetries(Stripe.createFetchHttpClient(wire), timing),
    maxNetworkRetries: 0,
    timeout: 60,
  });
}

test.each([
  [401, '/v1/customers'],
  [403, '/v1/customers'],
  [400, null],
  [404, null],
])('a refusal of our key (%i) is told before it is thrown', async (status, resource) => {
  const told: unknown[] = [];
  const wire = () => Promise.resolve(error(status, 'invalid_request_error'));
  const timing = { tries: 3, delayMs: 5, longestWaitMs: 10_000 };
  const stripe = new Stripe('sk_test_x', {
    httpClient: withStripeRetries(Stripe.createFetchHttpClient(wire), timing, (refusal) => {
      told.push(refusal);
      return Promise.resolve();
    }),
    maxNetworkRetries: 0,
  });
  await expect(stripe.customers.retrieve('cus_1')).rejects.toThrow();
  expect(told).toEqual(resource === null ? [] : [{ status, resource }]);
});

const create = (stripe: Stripe) => stripe.customers.create({ email: 'ada@example.com' });

async function told(call: Promise<unknown>): Promise<DomainError> {
  const thrown = await call.then(
    () => new Error('The call succeeded.'),
    (failure: unknown) => fromStripe(failure),
  );
  if (thrown instanceof DomainError) return thrown;
  throw thrown;
}

const never = (init: RequestInit) =>
  new Promise<Response>((_resolve, reject) => {
    init.signal?.addEventListener('abort', () => reject(init.signal?.reason as Error));
  });
const brokenBody = () =>
  new Response(
    new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode('{"id":"cus'));
        controller.error(new Error('cut'));
      },
    }),
  );
const reset = () => Promise.reject(Object.assign(new Error('reset'), { code: 'ECONNRESET' }));

const unavailable = 'payment_provider_unavailable';

describe('three tries, then word that a person can use', () => {
  const cases: [string, Play, string][] = [
    ['429', () => error(429, 'invalid_request_error'), unavailable],
    ['429 without a body', () => json(429, {}), unavailable],
    ['500', () => error(500), unavailable],
    ['503 that looks like an answer', () => json(503, { id: 'cus_1' }), unavailable],
    ['502 in HTML', () => json(502, '<h1>Bad gateway</h1>'), unavailable],
    ['200 in HTML', () => json(200, '<h1>Welcome</h1>'), unavailable],
    ['a time-out', (_attempt, init) => never(init), unavailable],
    ['a refused connection', () => Promise.reject(new TypeError('fetch failed')), unavailable],
    ['a reset, which the SDK would try once more', reset, unavailable],
    ['an answer that breaks off', brokenBody, unavailable],
    ['409, the first call still running', () => error(409, 'idempotency_error'), unavailable],
  ];
  test.each(cases)('%s', async (_name, play, code) => {
    const refusal = await told(create(client(play)));
    expect(refusal.code).toBe(code);
    expect(refusal.retryAfterSeconds).toBeGreaterThan(0);
    expect(`${refusal.detail} ${JSON.stringify(refusal.extra)}`).not.toMatch(/Words|Unclear|fetch/);
    expect(calls).toHaveLength(3);
    expect(new Set(calls.map(({ key }) => key)).size).toBe(1);
    expect(calls[0]?.key).toMatch(/\S/);
  });
});

describe('one try for what another would not change', () => {
  const cases: [number, string, string][] = [
    [400, 'invalid_request_error', 'payment_provider_refused'],
    [400, 'idempotency_error', 'idempotency_key_reused'],
    [401, 'invalid_request_error', 'payment_provider_refused'],
    [402, 'card_error', 'payment_failed'],
    [403, 'invalid_request_error', 'payment_provider_refused'],
    [404, 'invalid_request_error', 'payment_provider_refused'],
  ];
  test.each(cases)('%i %s', async (status, type, code) => {
    expect((await told(create(client(() => error(status, type))))).code).toBe(code);
    expect(calls).toHaveLength(1);
  });

  test('a 500 that Stripe says not to try again', async () => {
    const play = () => error(500, 'api_error', { 'stripe-should-retry': 'false' });
    expect((await told(create(client(play)))).code).toBe('payment_provider_unavailable');
    expect(calls).toHaveLength(1);
  });
});

describe('the wait', () => {
  test('is over as soon as a try succeeds', async () => {
    const stripe = client((attempt) => (attempt < 3 ? error(500) : json(200, { id: 'cus_1' })));
    expect(await create(stripe)).toMatchObject({ id: 'cus_1' });
    expect(calls).toHaveLength(3);
  });

  test('doubles, with jitter', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0.999);
    await told(create(client(() => error(500), 40)));
    vi.restoreAllMocks();
    const [first, second] = [1, 2].map((at) => (calls[at]?.at ?? 0) - (calls[at - 1]?.at ?? 0));
    expect(first).toBeGreaterThanOrEqual(38);
    expect(second).toBeGreaterThanOrEqual(77);
  });

  test('is no shorter than Retry-After asks for', async () => {
    const stripe = client((attempt) =>
      attempt === 1
        ? error(429, 'invalid_request_error', { 'retry-after': '1' })
        : json(200, { id: 'cus_1' }),
    );
    await create(stripe);
    expect((calls[1]?.at ?? 0) - (calls[0]?.at ?? 0)).toBeGreaterThanOrEqual(995);
  });

  test('that is too long for a person is handed to the caller', async () => {
    const play = () => error(429, 'invalid_request_error', { 'retry-after': '60' });
    const refusal = await told(create(client(play)));
    expect(refusal).toMatchObject({ code: 'payment_provider_unavailable', retryAfterSeconds: 60 });
    expect(calls).toHaveLength(1);
  });
});
