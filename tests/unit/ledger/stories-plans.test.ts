import { describe } from 'vitest';
import {
  aSecond,
  hold,
  pack,
  paid,
  paymentFailed,
  pausedAndResumed,
  pro,
  prorated,
  release,
  second,
  signup,
  spent,
  starter,
  state,
  tried,
  unlimited,
  yearly,
} from '../../support/facts.ts';
import { modes, story } from '../../support/story.ts';

const other = { subscription: 'sub_2' };

describe.each(modes)('%s', (mode) => {
  /** Purchased credits that a renewal leaves, as the mode has it. */
  const kept = (session: string, credits: number): Record<string, number> =>
    mode === 'keep-purchased' ? { [session]: credits } : {};

  story(
    'yearly → bigger monthly now, then two renewals',
    [
      signup(-1),
      state('active', yearly, 0),
      paid('in_1', yearly, 0, { mode }),
      pack('cs_1', 5),
      pack('cs_2', 35),
      ...spent('j1', 1200, 36),
      state('active', pro, 40),
      paid('in_2', pro, 40, { mode }),
      ...spent('j2', 2000, 50),
      state('active', pro, 70, { since: 70 }),
      paid('in_3', pro, 70, { mode }),
      state('active', pro, 100),
      paid('in_4', pro, 100, { mode }),
    ],
    { at: 30, left: { in_1: 1000, cs_1: 500 }, plan: 'yearly' },
    { at: 31, left: { in_1: 1000, ...kept('cs_1', 500) }, plan: 'yearly' },
    {
      at: 39,
      left: mode === 'reset-all' ? { cs_2: 300 } : { cs_1: 300, cs_2: 500 },
      plan: 'yearly',
    },
    { at: 60, left: { in_2: 3000, ...kept('cs_1', 300), ...kept('cs_2', 500) }, plan: 'pro' },
    { at: 71, left: { in_3: 5000, ...kept('cs_1', 300), ...kept('cs_2', 500) }, plan: 'pro' },
    { at: 101, left: { in_4: 5000, ...kept('cs_1', 300), ...kept('cs_2', 500) }, plan: 'pro' },
  );

  story(
    'downgrade now, then upgrade now, spending between',
    [
      state('active', pro, 0),
      paid('in_1', pro, 0, { mode }),
      pack('cs_1', 1),
      ...spent('j1', 3500, 2),
      state('active', starter, 10, { since: 0 }),
      ...spent('j2', 400, 12),
      state('active', pro, 20),
      paid('in_2', pro, 20, { mode }),
    ],
    { at: 11, left: { in_1: 1000, cs_1: 500 }, plan: 'starter' },
    { at: 13, left: { in_1: 600, cs_1: 500 }, plan: 'starter' },
    { at: 21, left: { in_2: 5000, ...kept('cs_1', 500) }, plan: 'pro' },
  );

  story(
    'two live subscriptions with renewals, one ends',
    [
      state('active', starter, 0),
      paid('in_1', starter, 0, { mode }),
      pack('cs_1', 1),
      state('active', pro, 10, other),
      paid('in_a', pro, 10, { mode, ...other }),
      ...spent('j1', 1300, 11),
      paid('in_2', starter, 30, { mode }),
      state('canceled', pro, 35, { ...other, since: 10, phase: 'deleted' }),
      ...spent('j2', 700, 36),
      paid('in_3', starter, 60, { mode }),
    ],
    { at: 10, left: { in_1: 1000, in_a: 5000, ...kept('cs_1', 500) }, plan: 'pro' },
    { at: 12, left: { in_a: 4700, ...kept('cs_1', 500) }, plan: 'pro' },
    { at: 31, left: { in_a: 4700, in_2: 1000, ...kept('cs_1', 500) }, plan: 'pro' },
    { at: 37, left: { in_a: 4000, in_2: 1000, ...kept('cs_1', 500) }, plan: 'starter' },
    { at: 61, left: { in_3: 1000, ...kept('cs_1', 500) }, plan: 'starter' },
  );

  story(
    'subscribe, cancel, subscribe again',
    [
      signup(0),
      paid('in_1', starter, 1, { mode }),
      state('active', starter, 1),
      ...spent('j1', 250, 2),
      state('canceled', starter, 20, { since: 1, phase: 'deleted' }),
      pack('cs_1', 25),
      ...spent('j2', 100, 40),
      state('active', starter, 50, other),
      paid('in_2', starter, 50, { mode, ...other }),
    ],
    { at: 45, left: { in_1: 650, cs_1: 500 }, plan: null },
    { at: 51, left: { in_2: 1000, ...kept('cs_1', 500) }, plan: 'starter' },
  );

  story(
    'pack and plan in the same second',
    [
      signup(0),
      state('active', starter, 1, { phase: 'created' }),
      paid('in_1', starter, 1, { mode }),
      pack('cs_1', 1),
      hold('j', 1300, 1),
      release('j', 100, 2),
    ],
    { at: 1, left: { cs_1: 200 }, plan: 'starter' },
    { at: 3, left: { cs_1: 300 }, plan: 'starter' },
  );

  story(
    'upgrade the day before renewal',
    [
      state('active', starter, 0),
      paid('in_1', starter, 0, { mode }),
      pack('cs_1', 3),
      ...pausedAndResumed('j', { credits: 800, used: 300, at: 5, pausedAt: 6, resumedAt: 28 }),
      state('active', pro, 29),
      paid('in_2', pro, 29, { mode, total: 7800, charge: 7800 }),
      state('active', pro, 59),
      paid('in_3', pro, 59, { mode }),
    ],
    { at: 7, left: { in_1: 700, cs_1: 500 }, plan: 'starter' },
    { at: 28.5, left: { in_1: 200, cs_1: 500 }, plan: 'starter' },
    { at: 30, left: { in_2: 5000, ...kept('cs_1', 500) }, plan: 'pro' },
    { at: 60, left: { in_3: 5000, ...kept('cs_1', 500) }, plan: 'pro' },
  );

  story(
    'session opened before a renewal, paid by bank after it',
    [
      paid('in_1', starter, 0, { mode }),
      ...spent('j1', 600, 5),
      paid('in_2', starter, 30, { mode }),
      // Opened on day 28; its charge is of day 33.
      pack('cs_1', 33),
      ...spent('j2', 1100, 34),
      paid('in_3', starter, 60, { mode }),
    ],
    { at: 33, left: { in_2: 1000, cs_1: 500 }, plan: 'starter' },
    { at: 35, left: { cs_1: 400 }, plan: 'starter' },
    { at: 61, left: { in_3: 1000, ...kept('cs_1', 400) }, plan: 'starter' },
  );
});

describe('the unlimited plan', () => {
  story(
    'past_due, grace runs out without an event, then paid',
    [
      pack('cs_1', 0),
      state('active', unlimited, 0),
      paid('in_1', unlimited, 0),
      ...spent('j1', 900, 5),
      state('past_due', unlimited, 30),
      paymentFailed('in_2', 30),
      ...spent('j2', 800, 36),
      ...spent('j3', 200, 38),
      state('active', unlimited, 40, { since: 30 }),
      paid('in_2', unlimited, 40, { period: [second(30), second(60)] }),
      ...spent('j4', 700, 41),
    ],
    { at: 36.5, left: { cs_1: 500 }, plan: 'unlimited' },
    { at: 37, left: { cs_1: 500 }, plan: null },
    { at: 39, left: { cs_1: 300 }, plan: null },
    { at: 42, left: { cs_1: 300 }, plan: 'unlimited' },
  );

  story(
    'declined change to it in the portal',
    [
      paid('in_1', starter, 0),
      state('active', starter, 0),
      // The portal changed the plan; its invoice is declined.
      state('active', unlimited, 10),
      paymentFailed('in_2', 10),
      hold('j', 300, 11),
      state('past_due', unlimited, 12, { since: 10 }),
      release('j', 100, 13),
      state('active', starter, 20, { since: 0 }),
    ],
    { at: 11, left: { in_1: 700 }, plan: 'starter' },
    { at: 14, left: { in_1: 800 }, plan: 'starter' },
    { at: 19, left: { in_1: 800 }, plan: null },
    { at: 21, left: { in_1: 800 }, plan: 'starter' },
  );

  for (const first of ['unlimited', 'starter'] as const) {
    const [ends, stays] = first === 'unlimited' ? ['sub_u', 'starter'] : ['sub_s', 'unlimited'];
    const terms = first === 'unlimited' ? unlimited : starter;
    story(
      `and starter, ${first} ends first`,
      [
        state('active', starter, 0, { subscription: 'sub_s' }),
        paid('in_s', starter, 0, { subscription: 'sub_s' }),
        state('active', unlimited, 5, { subscription: 'sub_u' }),
        paid('in_u', unlimited, 5, { subscription: 'sub_u' }),
        ...spent('j1', 400, 6),
        state('canceled', terms, 10, { subscription: ends, phase: 'deleted' }),
        ...spent('j2', 300, 11),
      ],
      { at: 7, left: { in_s: 1000 }, plan: 'unlimited' },
      { at: 12, left: { in_s: first === 'unlimited' ? 700 : 1000 }, plan: stays },
    );
  }

  story(
    'invoice.paid, created (incomplete), old deleted, updated (active)',
    [
      paid('in_0', starter, -20, { subscription: 'sub_old' }),
      state('canceled', starter, 0, { subscription: 'sub_old', phase: 'deleted' }),
      state('incomplete', unlimited, 0, { phase: 'created' }),
      state('active', unlimited, aSecond),
      paid('in_1', unlimited, aSecond),
      hold('j', 5000, 1),
      release('j', 0, 2),
    ],
    { at: 0, left: { in_0: 1000 }, plan: null },
    { at: 3, left: { in_0: 1000 }, plan: 'unlimited' },
  );
});

describe('one subscription', () => {
  story(
    'hold two seconds before its pack by clock',
    [
      signup(0),
      pack('cs_1', 1),
      // By our clock two seconds earlier; it knew the pack.
      hold('j', 550, 1),
      release('j', 60, 1 + 30 * aSecond),
    ],
    { at: 1, left: { cs_1: 50 } },
    { at: 2, left: { cs_1: 110 } },
  );

  story(
    'paid first, signed up later',
    [
      paid('in_1', starter, 0),
      state('active', starter, 0),
      pack('cs_1', 1),
      signup(3),
      ...spent('j', 1100, 4),
    ],
    { at: 2, left: { in_1: 1000, cs_1: 500 }, plan: 'starter' },
    { at: 5, left: { cs_1: 400 }, plan: 'starter' },
  );

  story(
    'a trial with a set-up fee, extended, then paid',
    [
      signup(0),
      state('trialing', starter, 1, { phase: 'created' }),
      tried('in_1', starter, 1, { total: 5000 }),
      ...spent('j1', 220, 3),
      tried('in_2', starter, 10),
      state('trialing', starter, 10),
      state('active', starter, 24),
      paid('in_3', starter, 24),
    ],
    { at: 2, left: { signup: 100, in_1: 200 }, plan: 'starter' },
    { at: 4, left: { signup: 80 }, plan: 'starter' },
    { at: 11, left: { signup: 80 }, plan: 'starter' },
    { at: 25, left: { in_3: 1000 }, plan: 'starter' },
  );

  story(
    'downgrade now after everything was spent, and back',
    [
      paid('in_1', pro, 0),
      state('active', pro, 0),
      ...spent('j1', 5000, 2),
      state('active', starter, 10, { since: 0 }),
      // Charged in full, from now on.
      state('active', pro, 12),
      paid('in_2', pro, 12),
      ...spent('j2', 100, 13),
    ],
    { at: 11, left: {}, plan: 'starter' },
    { at: 14, left: { in_2: 4900 }, plan: 'pro' },
  );

  story(
    'quantity 1 → 2 → 1 → 2',
    [
      paid('in_1', starter, 0),
      state('active', starter, 0),
      state('active', starter, 15, { since: 0, quantity: 2 }),
      prorated('in_2', starter, 15, { since: 0, quantity: 2, charge: 1450 }),
      hold('j', 700, 16),
      state('active', starter, 18, { since: 0 }),
      prorated('in_3', starter, 18, { since: 0, charge: -1160 }),
      release('j', 400, 19),
      state('active', starter, 21, { since: 0, quantity: 2 }),
      prorated('in_4', starter, 21, { since: 0, quantity: 2, charge: 870 }),
    ],
    { at: 15, left: { in_1: 1000, in_2: 500 } },
    { at: 17, left: { in_1: 300, in_2: 500 } },
    // 800 are left: the cap of 1,000 leaves room for 200 of the 400 that return.
    { at: 18, left: { in_1: 300, in_2: 500 } },
    { at: 20, left: { in_1: 500, in_2: 500 } },
    { at: 22, left: { in_1: 700, in_2: 500 } },
  );

  story(
    "a plan's credits raised in the catalogue, then a late fact",
    [
      paid('in_1', starter, 0),
      ...spent('j1', 300, 10),
      // Decided after the catalogue was raised; the invoice before is as it was decided.
      paid('in_2', { ...starter, credits: 1500 }, 30),
      { ...paid('in_1', { ...starter, credits: 1500 }, 0), decidedAtMs: second(31) * 1000 },
      // Told on day 40.
      { ...pack('cs_1', 20), decidedAtMs: second(40) * 1000 },
      ...spent('j2', 900, 32),
    ],
    { at: 11, left: { in_1: 700 } },
    { at: 25, left: { in_1: 700, cs_1: 500 } },
    { at: 33, left: { in_2: 600 } },
  );
});
