import { describe } from 'vitest';
import { modes, story, tellStories } from '../../support/convergence.ts';
import { fixtureUser } from '../../support/stripe-fixture.ts';
import { buyPack } from '../../support/stripe-stories/sessions.ts';
import { Story } from '../../support/stripe-stories/story.ts';
import { subscribe } from '../../support/stripe-stories/subscriptions.ts';

tellStories('money');

describe.each(modes)('%s', (mode) => {
  const env = { CREDIT_RENEWAL: mode };
  const kept = (credits: number): number => (mode === 'keep-purchased' ? credits : 0);

  story('pack refunded, then a renewal', {
    env,
    play: async (scene) => {
      await scene.subscribe(scene.prices.starter);
      const payment = await scene.packs();
      await scene.packs();
      await scene.days(5);
      scene.spend(1200);
      await scene.days(1);
      await scene.refund(payment);
      await scene.month();
    },
    end: { left: { plan: 1000, bonus: 0, purchased: kept(300) }, shortfall: 200 },
  });

  story('session opened before a renewal, paid by bank after it', {
    env,
    play: async (scene) => {
      await scene.subscribe(scene.prices.starter);
      await scene.days(28);
      const pack = await scene.openPack();
      await scene.days(0.5);
      await pack.payByBank();
      scene.spend(600);
      await scene.days(3.5);
      scene.spend(1100);
    },
    end: { left: { plan: 0, purchased: 200 }, shortfall: 0 },
  });

  story('pack, refund, then unlimited paid, refund last', {
    env,
    play: async (scene) => {
      const payment = await scene.packs(10);
      await scene.days(1);
      await scene.refund(payment);
      await scene.days(1);
      await scene.subscribe(scene.prices.unlimited);
      scene.spend(20_000);
    },
    end: { left: { bonus: 500, purchased: 0 }, plan: 'unlimited', shortfall: 0 },
  });

  story('refund of month 1 after renewal', {
    env,
    play: async (scene) => {
      const bought = await scene.subscribe(scene.prices.starter);
      scene.spend(400);
      await scene.packs();
      await scene.month();
      await scene.refund(await scene.paymentOf(bought, 1));
      scene.spend(100);
    },
    end: { left: { plan: 900, purchased: kept(300) }, shortfall: 400, plan: 'starter' },
  });
});

describe('money that goes back', () => {
  story('refund while a job holds the credits, then cancel', {
    play: async (scene) => {
      const payment = await scene.packs();
      const job = scene.start(700);
      await scene.days(1);
      await scene.refund(payment);
      await scene.days(1);
      scene.end(job, 500);
    },
    // 200 of the sign-up's were used; what returns to the pack pays what was missing of it.
    end: { left: { bonus: 300, purchased: 0 }, shortfall: 0 },
  });

  story('refund delivered before what it refunds', {
    play: async (scene) => {
      const payment = await scene.packs(2);
      await scene.days(1);
      await scene.refund(payment, 600);
    },
    end: { left: { bonus: 500, purchased: 400 } },
  });

  story('partial refunds ×15 with a dispute among them, won', {
    play: async (scene) => {
      const payment = await scene.packs(10);
      for (let i = 0; i < 15; i += 1) {
        await scene.days(1);
        await scene.refund(payment, 100 + i);
        if (i === 7) await scene.close(await scene.dispute(payment, 2000), 'won');
        if (i === 3) scene.spend(1000);
      }
    },
    // 16.05 of 90.00 went back: 535 of 3,000.
    end: { left: { bonus: 0, purchased: 1965 }, shortfall: 0, suspended: false },
  });

  story('yearly, dispute lost in month 1, eleven months pass', {
    play: async (scene) => {
      const bought = await scene.subscribe(scene.prices.steady);
      scene.spend(300);
      await scene.days(10);
      const dispute = await scene.dispute(await scene.paymentOf(bought));
      await scene.days(10);
      await scene.close(dispute, 'lost');
      await scene.days(330);
    },
    end: { left: { plan: 0 }, shortfall: 300, plan: null, suspended: true },
  });

  story('yearly, half refunded in month 6', {
    play: async (scene) => {
      const bought = await scene.subscribe(scene.prices.steady);
      await scene.days(160);
      scene.spend(100);
      await scene.refund(await scene.paymentOf(bought), 12_000);
      await scene.days(180);
    },
    // Half of 12,000: the six months that were not granted yet.
    end: { left: { plan: 900 }, shortfall: 0, plan: 'steady' },
  });

  for (const [name, end] of [
    ['creditNoteWithRefund', { left: { plan: 550 } }],
    ['creditNoteToBalance', { left: { plan: 550 } }],
    ['refundedInPart', { left: { plan: 650 } }],
    ['balancePaysPart', { left: { plan: 4368 } }],
    ['disputeWon', { left: { plan: 1000 }, suspended: false }],
    ['disputePrevented', { left: { plan: 1000 } }],
  ] as const)
    story(
      name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`),
      {
        play: async (scene) => {
          await scene.told(name);
        },
        end,
      },
    );
});

describe('money that bought nothing more', () => {
  story("a lapsed pack's refund", {
    play: async (scene) => {
      const payment = await scene.packs();
      await scene.subscribe(scene.prices.starter);
      await scene.days(1);
      await scene.refund(payment);
    },
    end: { left: { plan: 1000 }, shortfall: 0 },
  });

  story('both months refunded after the second began', {
    play: async (scene) => {
      const bought = await scene.subscribe(scene.prices.starter);
      await scene.month();
      scene.spend(250);
      await scene.days(1);
      for (const before of [0, 1]) await scene.refund(await scene.paymentOf(bought, before));
    },
    end: { left: { plan: 0 }, shortfall: 250, plan: null },
  });
});

describe('who and when', () => {
  story('paid first, signed up later', {
    isSignedUpLater: true,
    play: async (scene) => {
      await scene.subscribe(scene.prices.starter);
      await scene.days(1);
      await scene.packByGuest();
      await scene.days(1);
      scene.spend(1100);
    },
    end: { left: { plan: 0, purchased: 200 } },
  });

  story('pack and plan in the same second', {
    play: async (scene) => {
      await scene.tellStory((cast) => {
        const told = new Story(cast);
        const metadata = { user_id: fixtureUser, pack: 'pack', quantity: '1' };
        buyPack(told, { fields: { metadata } });
        subscribe(told);
        return told;
      });
      scene.spend(1100);
    },
    // The plan stands first: the pack is left to it.
    end: { left: { plan: 0, bonus: 0, purchased: 200 } },
  });
});
