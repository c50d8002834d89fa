import { describe, expect, test } from 'vitest';
import type { Fact } from '../../../functions/ledger/facts.pure.ts';
import { payersOf } from '../../../functions/ledger/payers.pure.ts';
import { creditsOutside } from '../../../functions/ledger/plans.pure.ts';
import {
  adjustment,
  aSecond,
  booksAt,
  creditNote,
  customer,
  dispute,
  entitledAt,
  hold,
  leftAt,
  pack,
  paid,
  paymentFailed,
  pro,
  prorated,
  refund,
  release,
  second,
  signup,
  spent,
  starter,
  state,
  tried,
  unlimited,
  yearly,
  yearlyAtOnce,
} from '../../support/facts.ts';

const choice = (id: string | null) => ({ customer: id, isChosen: true }) as const;
const own = { customer: 'cus_own' };
const theirs = { ...choice('cus_b'), subscription: 'sub_b' };
const known = customer('cus_own');

/** A plan that somebody subscribes to: what its first events tell. */
const subscribed = (of: typeof starter, at: number, more: object, id = 'b'): Fact[] => [
  state('active', of, at, { subscription: `sub_${id}`, ...more }),
  paid(`in_${id}`, of, at, { subscription: `sub_${id}`, ...more }),
];

describe('who pays for an account', () => {
  test('nobody, where nothing was paid', () => {
    const payers = payersOf([signup(0), adjustment('1', 5, 1)]);
    expect([payers.chosen, payers.isLinked]).toEqual([null, false]);
    expect(payers.isOutside(signup(0))).toBe(false);
  });

  test('a customer whom we know; all who chose the account are outside', () => {
    const [mine, b] = [pack('cs_1', 5, own), pack('cs_2', 1, choice('cus_b'))];
    for (const facts of [
      [mine, b],
      [known, b],
    ]) {
      const payers = payersOf(facts);
      expect([payers.chosen, payers.isLinked]).toEqual([null, true]);
      expect(facts.map(payers.isOutside)).toEqual([false, true]);
    }
  });

  test('what a known customer pays by choosing is its own too', () => {
    expect(payersOf([known]).isOutside(pack('cs_1', 5, choice('cus_own')))).toBe(false);
  });

  test('without one, the first who chose it, and of one second the first by id', () => {
    const later = pack('cs_1', 5, choice('cus_a'));
    const first = pack('cs_2', 4, choice('cus_c'));
    const tied = pack('cs_3', 4, choice('cus_b'));
    const payers = payersOf([later, first, tied]);
    expect([payers.chosen, payers.isLinked]).toEqual(['cus_b', true]);
    expect([later, first, tied].map(payers.isOutside)).toEqual([true, true, false]);
    expect(payersOf([tied, first, later]).chosen).toBe('cus_b');
    expect(payersOf([later, first]).chosen).toBe('cus_c');
  });

  test('a guest who chose is outside always, and links nothing', () => {
    const [guest, unsaid] = [pack('cs_1', 0, choice(null)), pack('cs_2', 0, { isChosen: true })];
    const payers = payersOf([guest, unsaid]);
    expect([payers.chosen, payers.isLinked]).toEqual([null, false]);
    expect([guest, unsaid].map(payers.isOutside)).toEqual([true, true]);
  });

  test('a guest whom our metadata names is nobody else', () => {
    const guest = pack('cs_1', 0, { customer: null });
    expect(payersOf([guest]).isOutside(guest)).toBe(false);
    expect(payersOf([guest]).isLinked).toBe(false);
  });

  test.each<[string, (more: object) => Fact]>([
    ['a state', (more) => state('active', starter, 0, more)],
    ['an open invoice', (more) => paymentFailed('in_1', 0, more)],
    ['a plan', (more) => paid('in_1', starter, 0, more)],
    ['a pack', (more) => pack('cs_1', 0, more)],
    ['a session', (more) => customer('cus_b', more)],
  ])('%s tells it', (_name, make) => {
    expect(payersOf([make(choice('cus_b'))]).chosen).toBe('cus_b');
    expect(payersOf([make({ customer: 'cus_b' })])).toMatchObject({ chosen: null, isLinked: true });
    expect(payersOf([known]).isOutside(make(choice('cus_b')))).toBe(true);
  });
});

describe('what somebody else pays for', () => {
  const signedUp = [signup(0, 100), known];

  test('resets nothing, entitles to nothing, and is credits beside the rest', () => {
    const mine = [...signedUp, ...subscribed(pro, 1, own, 'own'), pack('cs_1', 1, own)];
    const facts = [
      ...mine,
      ...subscribed(unlimited, 2, theirs),
      ...subscribed(starter, 3, choice('cus_c'), 'c'),
    ];
    expect(leftAt(facts, 4)).toEqual({ ...leftAt(mine, 4), in_c: 1000 });
    expect([entitledAt(mine, 4), entitledAt(facts, 4)]).toEqual(['pro', 'pro']);
    expect(entitledAt([...signedUp, ...subscribed(unlimited, 2, theirs)], 4)).toBeNull();
    expect([...booksAt(facts, 4).subscriptions.all.keys()]).toEqual(['sub_own']);
  });

  test('is the plan of an account that has no other customer', () => {
    const facts = [signup(0, 100), ...subscribed(starter, 2, theirs)];
    expect(leftAt(facts, 4)).toEqual({ in_b: 1000 });
    expect(entitledAt(facts, 4)).toBe('starter');
  });

  test('is spent last, so that what expires first is not kept for it', () => {
    const mine = [...signedUp, pack('cs_1', 3, own)];
    const facts = [...mine, pack('cs_b', 1, choice('cus_b')), ...spent('j', 650, 4)];
    expect(leftAt(facts, 5)).toEqual({ cs_b: 450 });
    const corrected = [...mine, pack('cs_b', 1, choice('cus_b')), adjustment('1', -700, 4)];
    expect(
      leftAt(
        [...corrected, ...subscribed(starter, 2, { ...own, mode: 'keep-purchased' }, 'own')],
        5,
      ),
    ).toEqual({
      cs_b: 500,
      in_own: 800,
    });
  });

  test('expires like any purchase when the account buys a plan, and only then', () => {
    const facts = [...signedUp, pack('cs_b', 1, choice('cus_b'))];
    expect(leftAt([...facts, ...subscribed(starter, 2, own, 'own')], 3)).toEqual({ in_own: 1000 });
    const kept = subscribed(starter, 2, { ...own, mode: 'keep-purchased' }, 'own');
    expect(leftAt([...facts, ...kept], 3)).toEqual({ in_own: 1000, cs_b: 500 });
  });

  test('stays beside a plan or a month of the very second, whose order no clock tells', () => {
    for (const id of ['a', 'z']) {
      const facts = [
        ...signedUp,
        ...subscribed(yearly, 0, own, 'own'),
        paid(`in_${id}0`, starter, 0, theirs),
        paid(`in_${id}1`, starter, 31, theirs),
      ];
      expect(leftAt(facts, 1)).toEqual({ in_own: 1000, [`in_${id}0`]: 1000 });
      // A month is due on day 31: what was paid before its second expires.
      expect(leftAt(facts, 32)).toEqual({ in_own: 1000, [`in_${id}1`]: 1000 });
      const later = subscribed(pro, 31 + aSecond, own, 'own2');
      expect(leftAt([...facts, ...later], 32)).toEqual({ in_own: 1000, in_own2: 5000 });
    }
  });

  test('goes back from its own lot, and suspends nobody', () => {
    const used = [
      ...signedUp,
      pack('cs_b', 1, choice('cus_b')),
      ...spent('j', 300, 2),
      dispute('dp', 'cs_b', 1000, 3),
    ];
    expect(leftAt(used, 4)).toEqual({});
    expect(booksAt(used, 4)).toMatchObject({ suspended: null, shortfall: 200 });
    const plan = [...signedUp, ...subscribed(starter, 1, theirs), ...spent('j', 300, 2)];
    const disputed = [...plan, dispute('dp', 'in_b', 2900, 3)];
    expect(booksAt(disputed, 4)).toMatchObject({ suspended: null, shortfall: 200 });
    expect(leftAt([...plan, refund('re', 'in_b', 1450, 3)], 4)).toEqual({ in_b: 300 });
    // Told before what it takes back.
    const early = [...signedUp, dispute('dp', 'cs_b', 1000, 0.5), pack('cs_b', 1, choice('cus_b'))];
    expect(leftAt(early, 4)).toEqual({ signup: 100 });
  });

  test("its shortfall is not the account's when the account's own payment is disputed", () => {
    const facts = [
      ...signedUp,
      pack('cs_1', 1, own),
      pack('cs_b', 1, choice('cus_b')),
      ...spent('j', 1000, 2),
      refund('re', 'cs_b', 1000, 3),
    ];
    const own100 = dispute('dp', 'cs_own2', 1000, 4);
    const unused = [...facts, pack('cs_own2', 2 + aSecond, own), own100];
    expect(booksAt(unused, 5)).toMatchObject({ suspended: null, shortfall: 400 });
    expect(booksAt([...facts, dispute('dp', 'cs_1', 1000, 4)], 5).suspended).toMatchObject({
      dispute: 'dp',
    });
  });

  test('its open invoices and states change nothing', () => {
    const mine = [...signedUp, ...subscribed(starter, 1, own, 'own')];
    const facts = [
      ...mine,
      paymentFailed('in_9', 2, theirs),
      state('past_due', pro, 2, theirs),
      state('canceled', pro, 3, { ...theirs, phase: 'deleted' }),
    ];
    expect(leftAt(facts, 40)).toEqual(leftAt(mine, 40));
    expect(entitledAt(facts, 12)).toBe('starter');
    const job = [hold('j', 50, 5), release('j', 50, 6)];
    expect(leftAt([...facts, ...job], 40)).toEqual(leftAt(mine, 40));
  });
});

describe("what somebody else's plan is worth", () => {
  test.each<[string, Parameters<typeof creditsOutside>[0], number]>([
    ['a period, in all its pieces', paid('in', starter, 0, { quantity: 3 }), 3000],
    ['all the months of a year', paid('in', yearly, 0), 12_000],
    ['a year at once', paid('in', yearlyAtOnce, 0), 12_000],
    [
      'never more than a year',
      paid('in', yearly, 0, { period: [second(0), second(2000)] }),
      12_000,
    ],
    ['nothing for a trial', tried('in', starter, 0), 0],
    ['nothing for a change', prorated('in', pro, 5, { since: 0, charge: 900 }), 0],
    ['nothing that can be counted of an unlimited one', paid('in', unlimited, 0), 0],
    [
      'nothing for a period that was over',
      paid('in', starter, 31, { period: [second(0), second(30)] }),
      0,
    ],
    [
      'nothing for one that ends just then',
      paid('in', starter, 30, { period: [second(0), second(30)] }),
      0,
    ],
    [
      'the period where nobody said when it was paid',
      paid('in', starter, 31, { period: [second(0), second(30)], isTimeGuessed: true }),
      1000,
    ],
  ])('%s', (_name, fact, credits) => {
    expect(creditsOutside(fact)).toBe(credits);
    const bought = leftAt([known, { ...fact, ...theirs }], 32);
    expect(bought).toEqual(credits === 0 ? {} : { in: credits });
  });

  test('a credit note takes it back in proportion, as any payment', () => {
    const facts = [known, ...subscribed(yearly, 0, theirs), creditNote('cn', 'in_b', 6000, 5)];
    expect(leftAt(facts, 6)).toEqual({ in_b: 9000 });
  });
});
