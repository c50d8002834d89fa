import fc from 'fast-check';
import { expect, test } from 'vitest';
import { audit } from './stripe-random/audit.ts';
import { dice, openGame } from './stripe-random/game.ts';
import { moves } from './stripe-random/moves.ts';

/** More of them, longer ones, the same again: STRIPE_RUNS=2000 STRIPE_STEPS=60 STRIPE_SEED=7. */
const setting = (name: string, otherwise: number) => Number(process.env[name] ?? otherwise);
const [runs, steps] = [setting('STRIPE_RUNS', 20), setting('STRIPE_STEPS', 25)];

const often = ['plan', 'change', 'wait', 'wait', 'card', 'subscribe', 'invoice', 'portal'];
const step = fc.record({
  move: fc.constantFrom(...Object.keys(moves), ...often),
  numbers: fc.array(fc.nat(999), { minLength: 12, maxLength: 12 }),
});
const sequence = fc.array(step, { minLength: Math.ceil(steps / 2), maxLength: steps, size: 'max' });

test('whatever is played, an accountant finds nothing wrong', { timeout: 3_600_000 }, async () => {
  const property = fc.asyncProperty(sequence, async (played) => {
    const game = await openGame();
    try {
      for (const move of ['customer', 'subscribe']) await moves[move]?.(game, dice([0]));
      for (const { move, numbers } of played) await moves[move]?.(game, dice(numbers));
      expect(await audit(game.standIn, game.stripe)).toEqual([]);
    } finally {
      await game.standIn.close();
    }
  });
  const seed = process.env['STRIPE_SEED'];
  await fc.assert(property, { numRuns: runs, ...(seed && { seed: Number(seed) }) });
});
