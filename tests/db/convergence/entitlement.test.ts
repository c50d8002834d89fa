import { describe } from 'vitest';
import { story, tellStories } from '../../support/convergence.ts';

tellStories('entitlement');

describe('the unlimited plan', () => {
  story('past_due, grace runs out without an event, then paid', {
    play: async (scene) => {
      await scene.packs();
      const bought = await scene.subscribe(scene.prices.unlimited);
      scene.spend(900);
      await scene.card(bought, 'decline');
      await scene.month();
      scene.spend(800);
      await scene.days(7.5);
      scene.spend(200);
      await scene.card(bought, 'ok');
      await scene.days(7);
      scene.spend(700);
    },
    // Only what was used beyond the grace was paid in credits.
    end: { left: { bonus: 300, purchased: 300 }, plan: 'unlimited' },
  });

  story('past_due, and grace runs out', {
    play: async (scene) => {
      const bought = await scene.subscribe(scene.prices.unlimited);
      await scene.card(bought, 'decline');
      await scene.month();
      scene.spend(100);
      await scene.days(7.5);
      scene.spend(100);
    },
    end: { left: { bonus: 400 }, plan: null },
  });

  story('unpaid after the last retry', {
    play: async (scene) => {
      await scene.fixture.shop.local('/dunning', { afterRetries: 'unpaid' });
      const bought = await scene.subscribe(scene.prices.unlimited);
      await scene.card(bought, 'decline');
      await scene.month();
      await scene.days(20);
      scene.spend(100);
    },
    end: { left: { bonus: 400 }, plan: null },
  });

  story('wholly refunded', {
    play: async (scene) => {
      const bought = await scene.subscribe(scene.prices.unlimited);
      scene.spend(100);
      await scene.days(1);
      await scene.refund(await scene.paymentOf(bought));
      scene.spend(100);
    },
    end: { left: { bonus: 400 }, plan: null },
  });

  story('declined change to it', {
    play: async (scene) => {
      const bought = await scene.subscribe(scene.prices.starter);
      await scene.days(3);
      await scene.card(bought, 'decline');
      const how = { proration_behavior: 'always_invoice' } as const;
      await scene.change(bought, scene.prices.unlimited, how).catch(() => undefined);
      const job = scene.start(300);
      await scene.days(1);
      scene.end(job, 100);
    },
    end: { left: { plan: 800 }, plan: 'starter' },
  });

  for (const first of ['unlimited', 'starter'] as const)
    story(`and starter: ${first} ends first`, {
      play: async (scene) => {
        const starter = await scene.subscribe(scene.prices.starter);
        const { customer } = starter;
        await scene.days(2);
        const unlimited = await scene.subscribe(scene.prices.unlimited, { customer });
        scene.spend(400);
        await scene.days(2);
        await scene.cancel(first === 'unlimited' ? unlimited : starter);
        scene.spend(300);
      },
      end:
        first === 'unlimited'
          ? { left: { plan: 700 }, plan: 'starter' }
          : { left: { plan: 1000 }, plan: 'unlimited' },
    });

  story('invoice.paid, created (incomplete), old deleted, updated (active)', {
    play: async (scene) => {
      const old = await scene.subscribe(scene.prices.starter);
      await scene.days(2);
      const { customer } = old;
      await Promise.all([scene.subscribe(scene.prices.unlimited, { customer }), scene.cancel(old)]);
      scene.spend(5000);
    },
    end: { left: { plan: 1000 }, plan: 'unlimited' },
  });
});

describe('what stands beside a plan', () => {
  const end = { left: { plan: 1000, bonus: 0 }, plan: 'starter', shortfall: 0 };
  for (const name of [
    'dearerAddOn',
    'yearlyAddOn',
    'meteredFirst',
    'twelveLines',
    'pendingOneOff',
    'setUpFeeOnTrial',
    'trialExtended',
  ])
    story(
      name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`),
      {
        play: (scene) => scene.told(name),
        end,
      },
    );

  story('trial, extended, with spending', {
    play: async (scene) => {
      scene.spend(550);
      await scene.told('trialExtended');
      scene.spend(100);
    },
    end: { left: { plan: 900, bonus: 0 }, plan: 'starter' },
  });
});
