import Stripe from 'stripe';
import type { Ctx } from '../../../functions/context.ts';
import { fetchMissing } from '../../../functions/stripe/fetch-missing.ts';
import { read } from '../../../functions/stripe/read-event.pure.ts';
import type { Knowledge, Reading, StripeEvent } from '../../../functions/stripe/reading.pure.ts';
import type { Story } from '../../support/stripe-stories/index.ts';

type Json = Record<string, unknown>;
export type Answer = { status?: number; body: unknown };

/** The real SDK on a wire that `answer` answers; `asked` keeps method, path and parameters. */
export function wired(answer: (url: URL) => Answer): {
  ctx: Ctx;
  asked: string[];
  lines: Json[];
} {
  const asked: string[] = [];
  const lines: Json[] = [];
  const wire = (input: string | URL | Request) => {
    const url = new URL(input instanceof Request ? input.url : input);
    asked.push(`${url.pathname}${decodeURIComponent(url.search)}`);
    const { status = 200, body } = answer(url);
    return Promise.resolve(new Response(JSON.stringify(body), { status }));
  };
  const stripe = new Stripe('sk_test_x', {
    httpClient: Stripe.createFetchHttpClient(wire),
    maxNetworkRetries: 0,
  });
  const log: Ctx['log'] = (event, fields) => lines.push({ event, ...fields });
  return { ctx: { stripe, log } as Ctx, asked, lines };
}

export const missing = (): Answer => ({
  status: 404,
  body: { error: { type: 'invalid_request_error', code: 'resource_missing', message: 'None.' } },
});

/** A page of a list, as Stripe cuts it. */
export function page(all: { id: string }[], { searchParams }: URL): Answer {
  const limit = Number(searchParams.get('limit') ?? 10);
  const after = searchParams.get('starting_after');
  const from = after === null ? 0 : all.findIndex(({ id }) => id === after) + 1;
  const data = all.slice(from, from + limit);
  return { body: { object: 'list', data, has_more: from + limit < all.length, url: '/' } };
}

/** What the API shows of a story in the end. */
export const api =
  (story: Story) =>
  (url: URL): Answer => {
    const [, , kind = '', id, sub] = url.pathname.split('/');
    if (kind === 'invoices' && sub === 'lines')
      return page(
        story.all('line_item').filter(({ invoice }) => invoice === id),
        url,
      );
    if (kind === 'refunds')
      return page(
        story.all('refund').filter(({ charge }) => charge === url.searchParams.get('charge')),
        url,
      );
    if (kind === 'subscriptions')
      return { body: story.all('subscription').find((one) => one.id === id) };
    const intent = story.all('payment_intent').find((one) => one.id === id);
    const charge = story.all('charge').find((one) => one.id === intent?.latest_charge);
    const entry = story
      .all('balance_transaction')
      .find((one) => one.id === charge?.balance_transaction);
    const latest_charge = charge ? { ...charge, balance_transaction: entry } : null;
    return intent ? { body: { ...intent, latest_charge } } : missing();
  };

/** What each event comes to once Stripe was asked. @throws Error where Stripe did not answer */
export async function readAll(
  ctx: Ctx,
  events: StripeEvent[],
  knowledge: Knowledge,
): Promise<Reading[]> {
  const readings: Reading[] = [];
  for (const event of events) {
    const fetched = await fetchMissing(ctx, event, knowledge);
    if ('fail' in fetched) throw new Error(fetched.fail.detail);
    readings.push(read(fetched.event, knowledge));
  }
  return readings;
}
