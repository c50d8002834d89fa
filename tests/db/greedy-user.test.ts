import fc from 'fast-check';
import { expect, test } from 'vitest';
import { GreedyUser, moves, type Dice } from '../support/greedy-user.ts';
import { assertBooksHold } from '../support/ledger-invariants.ts';
import { LedgerBooks } from '../support/ledger-books.ts';
import { BillingShop } from './billing-shop.ts';

/** More, longer, the same again, told shortly: GREEDY_RUNS=500 GREEDY_STEPS=40 GREEDY_SEED=7 GREEDY_SHRINK=1. */
const setting = (name: string, otherwise: number) => Number(process.env[name] ?? otherwise);
const [runs, steps] = [setting('GREEDY_RUNS', 6), setting('GREEDY_STEPS', 14)];
const { GREEDY_SEED: seed, GREEDY_SHRINK: shrink } = process.env;
const replay = { endOnFailure: shrink === undefined, ...(seed && { seed: Number(seed) }) };

const diceOf = (numbers: number[]): Dice => {
  let at = 0;
  const roll = (n: number) => (numbers[at++ % numbers.length] ?? 0) % n;
  return { roll, pick: (...values) => values[roll(values.length)] as (typeof values)[0] };
};

const often = ['change', 'change', 'downThenUp', 'downThenUpInPortal', 'switch', 'wait', 'wait'];
const step = fc.record({
  use: fc.constantFrom(1, 1, 1, 0.5, 0),
  isShuffled: fc.constantFrom(false, false, true),
  move: fc.constantFrom(...Object.keys(moves), ...often),
  numbers: fc.array(fc.nat(999), { minLength: 6, maxLength: 6 }),
});
const game = fc.record({
  mode: fc.constantFrom('flexible' as const, 'classic' as const),
  plan: fc.constantFrom('starter', 'growth', 'scale', 'unlimited', 'growth_yearly'),
  steps: fc.array(step, { minLength: Math.ceil(steps / 2), maxLength: steps, size: 'max' }),
});

test('credits used are worth no more than what was kept', { timeout: 3_600_000 }, async () => {
  const property = fc.asyncProperty(game, async ({ mode, plan, steps: played }) => {
    const shop = await BillingShop.open({ SIGNUP_CREDITS: '0' });
    try {
      const { userId } = await shop.subscribeBy({ plan, mode });
      const user = await GreedyUser.arrive(shop, userId, new LedgerBooks(shop, userId));
      for (const { use, move, numbers, isShuffled } of played) {
        await user.use(use);
        await user.play(move, diceOf(numbers), isShuffled);
        await user.use(use);
        const gain = await user.gainCents();
        expect(gain, user.story.join(' · ')).toBeLessThanOrEqual(0);
      }
      await assertBooksHold(shop.database.pool);
    } finally {
      await shop.close();
    }
  });
  await fc.assert(property, { numRuns: runs, ...replay });
});
