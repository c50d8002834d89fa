import { describe } from 'vitest';
import {
  creditNote,
  dispute,
  hold,
  lost,
  pack,
  paid,
  pro,
  refund,
  release,
  signup,
  spent,
  starter,
  state,
  undone,
  unlimited,
  yearly,
} from '../../support/facts.ts';
import { modes, story } from '../../support/story.ts';

describe.each(modes)('%s', (mode) => {
  const kept = (session: string, credits: number): Record<string, number> =>
    mode === 'keep-purchased' ? { [session]: credits } : {};

  story(
    'pack refunded, then a renewal',
    [
      paid('in_1', starter, 0, { mode }),
      pack('cs_1', 5),
      pack('cs_2', 6),
      ...spent('j1', 1200, 8),
      refund('re', 'cs_1', 1000, 10),
      paid('in_2', starter, 30, { mode }),
      ...spent('j2', 50, 31),
    ],
    { at: 9, left: { cs_1: 300, cs_2: 500 } },
    { at: 11, left: { cs_2: 500 }, shortfall: 200 },
    { at: 32, left: { in_2: 950, ...kept('cs_2', 500) }, shortfall: 200 },
  );

  story(
    'pack, refund, then unlimited paid; the refund is told last',
    [
      signup(0),
      pack('cs_1', 1, { credits: 10_000, total: 9900 }),
      refund('re', 'cs_1', 9900, 2),
      state('active', unlimited, 3),
      paid('in_1', unlimited, 3, { mode }),
      ...spent('j', 20_000, 4),
    ],
    { at: 2, left: { signup: 100 } },
    { at: 5, left: { signup: 100 }, plan: 'unlimited' },
  );

  story(
    'refund of month 1 after the renewal',
    [
      paid('in_1', starter, 0, { mode }),
      ...spent('j1', 400, 10),
      pack('cs_1', 20),
      paid('in_2', starter, 30, { mode }),
      refund('re', 'in_1', 2900, 33),
      ...spent('j2', 100, 35),
    ],
    { at: 31, left: { in_2: 1000, ...kept('cs_1', 500) } },
    // 600 of month 1 had lapsed, 400 were spent.
    { at: 36, left: { in_2: 900, ...kept('cs_1', 500) }, shortfall: 400, plan: 'starter' },
  );
});

describe('money that goes back', () => {
  story(
    'refund while a job holds the credits, then cancel',
    [
      signup(0),
      pack('cs_1', 1),
      hold('j', 500, 2),
      refund('re', 'cs_1', 1000, 3),
      // The job had used 120 when it was cancelled.
      release('j', 380, 4),
    ],
    // The sign-up's 100 and 400 of the pack are held.
    { at: 2.5, left: { cs_1: 100 } },
    { at: 3, left: {}, shortfall: 400 },
    { at: 5, left: {}, shortfall: 20 },
  );

  story(
    'yearly, dispute lost in month 1, eleven months pass',
    [
      state('active', yearly, 0),
      paid('in_1', yearly, 0),
      ...spent('j1', 350, 10),
      dispute('dp', 'in_1', 24_000, 20),
      lost(dispute('dp', 'in_1', 24_000, 20)),
      hold('j2', 0, 40),
      release('j2', 0, 41),
    ],
    { at: 19, left: { in_1: 650 }, plan: 'yearly' },
    { at: 21, left: {}, shortfall: 350, isSuspended: true, plan: null },
    { at: 364, left: {}, shortfall: 350, isSuspended: true, plan: null },
  );

  story(
    'yearly, half refunded in month 6',
    [
      state('active', yearly, 0),
      paid('in_1', yearly, 0),
      ...spent('j1', 1000, 10),
      ...spent('j2', 200, 155),
      // 1 January to 1 June: the sixth month runs. Half of twelve are the six to come.
      refund('re', 'in_1', 12_000, 160),
    ],
    { at: 156, left: { in_1: 800 }, plan: 'yearly' },
    { at: 161, left: { in_1: 800 }, plan: 'yearly' },
    { at: 364, left: { in_1: 800 }, plan: 'yearly' },
  );

  story(
    'refund delivered before what it refunds',
    [
      // Of the same second as its pack: reversals stand after packs.
      refund('re', 'cs_1', 500, 1),
      pack('cs_1', 1),
      ...spent('j', 100, 2),
      refund('re_2', 'cs_1', 500, 3),
    ],
    { at: 1, left: { cs_1: 250 } },
    { at: 2.5, left: { cs_1: 150 } },
    { at: 4, left: {}, shortfall: 100 },
  );

  const parts = Array.from({ length: 15 }, (_, i) => refund(`re_${i}`, 'cs_1', 50, 5 + i));
  const disputed = dispute('dp', 'cs_1', 1000, 12);
  story(
    'partial refunds ×15 with a dispute among them, won',
    [pack('cs_1', 0), ...spent('j', 200, 1), ...parts, disputed, undone(disputed)],
    { at: 4, left: { cs_1: 300 } },
    // Each of them takes 25.
    { at: 9, left: { cs_1: 175 } },
    { at: 20, left: {}, shortfall: 75 },
  );

  story(
    'partial refunds ×15 with a dispute among them, open',
    [pack('cs_1', 0), ...spent('j', 200, 1), ...parts, disputed],
    { at: 11, left: { cs_1: 125 } },
    { at: 12, left: {}, shortfall: 200, isSuspended: true },
    { at: 20, left: {}, shortfall: 200, isSuspended: true },
  );

  story(
    'invoice 79.00, 50 by balance and 29 by card, card part refunded',
    [
      state('active', pro, 0),
      paid('in_1', pro, 0, { total: 7900 }),
      ...spent('j', 1000, 2),
      refund('re', 'in_1', 2900, 3),
    ],
    // 2,900 of 7,900 are 1,835.4 of 5,000.
    { at: 4, left: { in_1: 2165 }, plan: 'pro' },
  );

  story(
    'credit note with a refund',
    [
      paid('in_1', starter, 0),
      ...spent('j', 100, 1),
      // 14.50 in all: 5.00 to the balance, 9.50 to the card (told as a refund).
      creditNote('cn', 'in_1', 500, 2),
      refund('re', 'in_1', 950, 2),
    ],
    { at: 1.5, left: { in_1: 900 } },
    { at: 3, left: { in_1: 400 }, plan: 'starter' },
  );

  story(
    'ended, bought again, customer deleted',
    [
      paid('in_1', starter, 0),
      state('active', starter, 0),
      ...spent('j1', 100, 2),
      state('canceled', starter, 10, { phase: 'deleted' }),
      state('active', pro, 20, { subscription: 'sub_2' }),
      paid('in_2', pro, 20, { subscription: 'sub_2' }),
      state('canceled', pro, 25, { subscription: 'sub_2', phase: 'deleted', customer: null }),
      ...spent('j2', 700, 26),
    ],
    { at: 11, left: { in_1: 900 }, plan: null },
    { at: 21, left: { in_2: 5000 }, plan: 'pro' },
    { at: 27, left: { in_2: 4300 }, plan: null },
  );

  story(
    'an upgrade refunded: what it made expire stays away',
    [
      paid('in_1', starter, 0),
      hold('j', 600, 3),
      paid('in_2', pro, 5),
      refund('re', 'in_2', 7900, 6),
      release('j', 600, 7),
    ],
    { at: 5, left: { in_2: 5000 } },
    { at: 8, left: {}, plan: null },
  );
});
