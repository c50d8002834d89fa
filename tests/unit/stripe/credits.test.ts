import { describe, expect, test } from 'vitest';
import { fold } from '../../../functions/ledger/fold.pure.ts';
import { readEvent } from '../../../functions/stripe/read-event.pure.ts';
import { stories } from '../../support/stripe-stories/index.ts';
import { DAY, joined, knowledgeOf } from './shop.ts';
import { api, readAll, wired } from './wire.ts';

const START = 1_790_000_000;

/** The balance after each of the days, once all of a story was told. */
async function balances(name: string, days: number[]): Promise<number[]> {
  const story = stories[name]?.({ at: START, tag: name, userId: 'user_1' });
  if (!story) throw new Error(`There is no story ${name}.`);
  const events = story.events.map((event) => readEvent(event)).filter((one) => one !== undefined);
  const facts = joined(await readAll(wired(api(story)).ctx, events, knowledgeOf(story)));
  return days.map((day) => {
    const nowUs = (START + day * DAY) * 1e6;
    return fold(
      facts.filter(({ atUs }) => atUs <= nowUs),
      nowUs,
    ).books.balance;
  });
}

describe('what a plan is worth, whatever stands beside it', () => {
  test.each([
    'dearerAddOn',
    'yearlyAddOn',
    'meteredFirst',
    'pendingOneOff',
    'tenOldProrations',
    // Twelve lines, the plan's on the second page.
    'twelveLines',
    'couponAdded',
    'inYen',
  ])('%s: its credits, each month anew', async (name) => {
    expect(await balances(name, [1, 32])).toEqual([1000, 1000]);
  });

  test('an invoice that only gives back mints nothing and takes nothing', async () => {
    expect(await balances('cancelledWithInvoice', [1, 11])).toEqual([1000, 1000]);
  });

  test('a set-up fee does not make a trial a plan, nor does more time', async () => {
    expect(await balances('setUpFeeOnTrial', [1, 15])).toEqual([100, 1000]);
    expect(await balances('trialExtended', [1, 11, 22])).toEqual([100, 100, 1000]);
  });
});
