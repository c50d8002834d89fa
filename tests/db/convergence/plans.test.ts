import { describe } from 'vitest';
import { billingModes, modes, story, tellStories } from '../../support/convergence.ts';
import { downgraded, upgraded, upgradedInFull } from '../../support/scene.ts';

tellStories('plans');

describe.each(modes)('%s', (mode) => {
  const env = { CREDIT_RENEWAL: mode };
  const kept = (credits: number): number => (mode === 'keep-purchased' ? credits : 0);

  story('yearly → bigger monthly now, then two renewals', {
    env,
    play: async (scene) => {
      const bought = await scene.subscribe(scene.prices.steady);
      await scene.days(5);
      await scene.packs();
      await scene.month();
      scene.spend(700);
      await scene.change(bought, scene.prices.pro, upgraded);
      await scene.month();
      scene.spend(300);
      await scene.month();
    },
    end: { left: { plan: 5000, purchased: kept(300) }, plan: 'pro', shortfall: 0 },
  });

  story('two live subscriptions with renewals, one ends', {
    env,
    play: async (scene) => {
      const starter = await scene.subscribe(scene.prices.starter);
      await scene.packs();
      await scene.days(10);
      const { customer } = starter;
      const pro = await scene.subscribe(scene.prices.pro, { customer });
      scene.spend(1300);
      await scene.days(21.1);
      await scene.cancel(pro);
      scene.spend(700);
      await scene.month();
    },
    end: { left: { plan: 1000, purchased: kept(300) }, plan: 'starter' },
  });

  story('subscribe, cancel, subscribe again', {
    env,
    play: async (scene) => {
      const { id, customer } = await scene.subscribe(scene.prices.starter);
      scene.spend(250);
      await scene.days(20);
      await scene.cancel({ id, customer });
      await scene.packs();
      scene.spend(100);
      await scene.days(20);
      await scene.subscribe(scene.prices.starter, { customer });
    },
    end: { left: { plan: 1000, bonus: 0, purchased: kept(300) }, plan: 'starter' },
  });
});

describe.each(billingModes)('%s billing', (type) => {
  const billing = { subscription_data: { billing_mode: { type } } };

  story('downgrade now, then upgrade now, spending between', {
    play: async (scene) => {
      const bought = await scene.subscribe(scene.prices.pro, billing);
      await scene.days(2);
      scene.spend(3500);
      await scene.change(bought, scene.prices.starter, downgraded);
      await scene.days(2);
      scene.spend(400);
      await scene.days(2);
      await scene.change(bought, scene.prices.pro, upgradedInFull);
    },
    end: { left: { plan: 5000, bonus: 0 }, plan: 'pro' },
  });

  story('quantity 1 → 2 → 1 → 2', {
    play: async (scene) => {
      const bought = await scene.subscribe(scene.prices.starter, billing);
      for (const quantity of [2, 1, 2]) {
        await scene.days(5);
        const how = { proration_behavior: 'always_invoice' } as const;
        await scene.change(bought, scene.prices.starter, how, quantity);
      }
      const job = scene.start(400);
      await scene.days(1);
      scene.end(job, 150);
    },
    end: { plan: 'starter', shortfall: 0 },
  });
});

describe('one subscription', () => {
  story('upgrade the day before renewal, a job paused and resumed between', {
    play: async (scene) => {
      const bought = await scene.subscribe(scene.prices.starter);
      const job = scene.start(800);
      await scene.days(5);
      scene.end(job, 500);
      await scene.days(22);
      const resumed = scene.start(500);
      await scene.days(1);
      await scene.change(bought, scene.prices.pro, upgraded);
      scene.end(resumed, 100);
      await scene.month();
    },
    end: { left: { plan: 5000 }, plan: 'pro' },
  });

  story('downgrade now after everything was spent, and back', {
    play: async (scene) => {
      const bought = await scene.subscribe(scene.prices.pro);
      scene.spend(5000);
      await scene.days(10);
      await scene.change(bought, scene.prices.starter, downgraded);
      await scene.days(2);
      await scene.change(bought, scene.prices.pro, upgradedInFull);
      scene.spend(100);
    },
    end: { left: { plan: 4900 }, plan: 'pro' },
  });

  story('ended, bought again, customer deleted', {
    play: async (scene) => {
      const first = await scene.subscribe(scene.prices.starter);
      await scene.days(3);
      await scene.cancel(first);
      await scene.days(3);
      await scene.subscribe(scene.prices.pro);
      await scene.fixture.stripe.customers.del(first.customer);
      scene.spend(200);
    },
    end: { left: { plan: 4800 }, plan: 'pro' },
  });

  story("a plan's credits raised in the catalogue, then a late fact", {
    play: async (scene) => {
      await scene.subscribe(scene.prices.starter);
      const payment = await scene.packs();
      await scene.month();
      scene.barrier();
      await scene.raise(scene.prices.starter, 1500);
      await scene.days(1);
      scene.barrier();
      await scene.refund(payment, 300);
      await scene.month();
    },
    // The renewals before it stay at 1,000, whatever is learned late; the one after it has 1,500.
    end: { plan: 'starter' },
  });
});
