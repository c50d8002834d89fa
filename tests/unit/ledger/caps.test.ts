import { describe, expect, test } from 'vitest';
import {
  aSecond,
  booksAt,
  hold,
  leftAt,
  paid,
  pro,
  prorated,
  refund,
  release,
  second,
  spent,
  starter,
  state,
  unlimited,
  yearly,
} from '../../support/facts.ts';

const since = 0;
const down = (at: number) => state('active', starter, at, { since });
const up = (at: number) => state('active', pro, at, { since });
const middle = { ...pro, plan: 'middle', priceId: 'price_middle', credits: 2000 };

describe('a downgrade at once (a state with less than was granted)', () => {
  test('cuts to the smaller plan, or leaves what is left', () => {
    expect(leftAt([paid('in_1', pro, 0), down(5)], 6)).toEqual({ in_1: 1000 });
    const facts = [paid('in_1', pro, 0), ...spent('j', 4700, 1), down(5)];
    expect(leftAt(facts, 6)).toEqual({ in_1: 300 });
  });

  test('the same plan, a bigger one, or none of ours cuts nothing', () => {
    for (const of of [pro, { ...pro, credits: 6000 }, unlimited, null])
      expect(leftAt([paid('in_1', pro, 0), state('active', of, 5, { since })], 6)).toEqual({
        in_1: 5000,
      });
  });

  test('a smaller quantity cuts too', () => {
    const facts = [
      paid('in_1', starter, 0, { quantity: 3 }),
      state('active', starter, 5, { since, quantity: 2 }),
    ];
    expect(leftAt(facts, 6)).toEqual({ in_1: 2000 });
  });

  test('cuts nothing before a plan was granted', () => {
    expect(leftAt([down(0), paid('in_1', pro, 1)], 2)).toEqual({ in_1: 5000 });
  });

  test('the newest lots are cut first', () => {
    const facts = [
      paid('in_1', starter, 0),
      prorated('in_2', starter, 15, { since, quantity: 2, charge: 1450 }),
      state('active', starter, 20, { since, quantity: 1 }),
    ];
    expect(leftAt(facts, 19)).toEqual({ in_1: 1000, in_2: 500 });
    expect(leftAt(facts, 21)).toEqual({ in_1: 1000 });
  });

  test("other subscriptions' lots and packs are not its business", () => {
    const other = paid('in_9', pro, 1, { subscription: 'sub_2', mode: 'keep-purchased' });
    expect(leftAt([paid('in_1', pro, 0), other, down(5)], 6)).toEqual({ in_1: 1000, in_9: 5000 });
  });
});

describe('what a running job returns after a cap', () => {
  test('no more comes back than the cap leaves', () => {
    const facts = [paid('in_1', pro, 0), hold('j', 4600, 1), down(5), release('j', 4600, 6)];
    expect(leftAt(facts, 5.5)).toEqual({ in_1: 400 });
    expect(leftAt(facts, 7)).toEqual({ in_1: 1000 });
  });

  test('of two jobs the first to end takes the room', () => {
    const facts = [
      paid('in_1', pro, 0),
      hold('a', 2500, 1),
      hold('b', 2100, 1 + aSecond),
      down(5),
      release('b', 350, 6),
      release('a', 2500, 7),
    ];
    expect(leftAt(facts, 6.5)).toEqual({ in_1: 750 });
    expect(leftAt(facts, 8)).toEqual({ in_1: 1000 });
  });

  test('what was held after the cap comes back whole', () => {
    const facts = [paid('in_1', pro, 0), down(5), hold('j', 800, 6), release('j', 800, 7)];
    expect(leftAt(facts, 8)).toEqual({ in_1: 1000 });
  });

  test('the cap ends with the next period', () => {
    const facts = [
      paid('in_1', pro, 0),
      down(5),
      paid('in_2', starter, 30, { quantity: 2 }),
      hold('j', 1900, 31),
      release('j', 1900, 32),
    ];
    expect(leftAt(facts, 33)).toEqual({ in_2: 2000 });
  });

  test('a second, smaller cap leaves what was held between them its room', () => {
    const facts = [
      paid('in_1', pro, 0),
      hold('before', 4000, 1),
      state('active', middle, 5, { since }),
      hold('between', 900, 6),
      down(7),
      release('between', 900, 8),
      release('before', 4000, 9),
    ];
    expect(leftAt(facts, 5.5)).toEqual({ in_1: 1000 });
    expect(leftAt(facts, 7.5)).toEqual({ in_1: 100 });
    expect(leftAt(facts, 8.5)).toEqual({ in_1: 1000 });
    expect(leftAt(facts, 10)).toEqual({ in_1: 1000 });
  });

  test('a first cap that left no room is not widened by a second', () => {
    const facts = [
      paid('in_1', pro, 0),
      hold('before', 3000, 1),
      state('active', middle, 5, { since }),
      hold('between', 1900, 6),
      down(7),
      release('before', 3000, 8),
      release('between', 1900, 9),
    ];
    expect(leftAt(facts, 7.5)).toEqual({ in_1: 100 });
    expect(leftAt(facts, 8.5)).toEqual({ in_1: 100 });
    expect(leftAt(facts, 10)).toEqual({ in_1: 1000 });
  });
});

describe('two caps and paid again', () => {
  const facts = [
    paid('in_1', pro, 0),
    hold('before', 3000, 1),
    state('active', middle, 5, { since }),
    hold('between', 1900, 6),
    down(7),
  ];
  const ends = [release('before', 3000, 10), release('between', 1900, 11)];

  test('for the plan of the first cap, that cap still holds', () => {
    const all = [
      paid('in_0', middle, -1, { period: [second(0), second(30)] }),
      ...facts,
      prorated('in_2', middle, 8, { since, charge: 900 }),
      ...ends,
    ];
    expect(leftAt(all, 10.5)).toEqual({ in_1: 100 });
    expect(leftAt(all, 12)).toEqual({ in_1: 2000 });
  });

  test('for the plan that was bought, all comes back', () => {
    const all = [...facts, prorated('in_2', pro, 8, { since, charge: 4000 }), ...ends];
    expect(leftAt(all, 9)).toEqual({ in_1: 100 });
    expect(leftAt(all, 12)).toEqual({ in_1: 5000 });
  });
});

describe('paid again in the period', () => {
  const again = prorated('in_2', pro, 10, { since, charge: 3000 });

  test('what the cap cut comes back, what was spent does not', () => {
    const facts = [paid('in_1', pro, 0), down(5), ...spent('j', 600, 6), up(10), again];
    expect(leftAt(facts, 7)).toEqual({ in_1: 400 });
    expect(leftAt(facts, 11)).toEqual({ in_1: 4400 });
  });

  test('the state alone brings nothing back', () => {
    expect(leftAt([paid('in_1', pro, 0), down(5), up(10)], 11)).toEqual({ in_1: 1000 });
  });

  test.each([0, -500])('an invoice that charges %d brings nothing back', (charge) => {
    expect(leftAt([paid('in_1', pro, 0), down(5), { ...again, charge }], 11)).toEqual({
      in_1: 1000,
    });
  });

  test('nor does one after the period was taken back: it is a period bought anew', () => {
    const facts = [paid('in_1', pro, 0), down(5), refund('re', 'in_1', 7900, 6), again];
    expect(leftAt(facts, 11)).toEqual({ in_2: 5000 });
  });

  test('a job that ends after it returns what it did not need', () => {
    const facts = [
      paid('in_1', pro, 0),
      hold('j', 4600, 1),
      down(5),
      again,
      release('j', 4600, 12),
    ];
    expect(leftAt(facts, 11)).toEqual({ in_1: 400 });
    expect(leftAt(facts, 13)).toEqual({ in_1: 5000 });
    const early = [paid('in_1', pro, 0), hold('j', 4600, 1), down(5), release('j', 4600, 6), again];
    expect(leftAt(early, 11)).toEqual({ in_1: 5000 });
  });

  test('a smaller quantity paid again raises the cap to that quantity only', () => {
    const facts = [
      paid('in_1', starter, 0, { quantity: 3 }),
      state('active', starter, 5, { since, quantity: 1 }),
      prorated('in_2', starter, 10, { since, quantity: 2, charge: 1000 }),
    ];
    expect(leftAt(facts, 6)).toEqual({ in_1: 1000 });
    expect(leftAt(facts, 11)).toEqual({ in_1: 2000 });
  });

  test('what comes back goes to the oldest lot first', () => {
    const facts = [
      paid('in_1', starter, 0, { quantity: 2 }),
      prorated('in_2', starter, 15, { since, quantity: 4, charge: 2900 }),
      state('active', starter, 16, { since, quantity: 1 }),
      prorated('in_3', starter, 17, { since, quantity: 2, charge: 1200 }),
    ];
    expect(leftAt(facts, 16)).toEqual({ in_1: 1000 });
    expect(leftAt(facts, 18)).toEqual({ in_1: 2000 });
  });

  test('capped anew it is cut anew', () => {
    const facts = [paid('in_1', pro, 0), down(5), again, down(12)];
    expect(leftAt(facts, 11)).toEqual({ in_1: 5000 });
    expect(leftAt(facts, 13)).toEqual({ in_1: 1000 });
  });
});

describe('quantity raised and paid', () => {
  const two = (invoice: string, at: number) =>
    prorated(invoice, starter, at, { since, quantity: 2, charge: 1450 });

  test('adds the difference for the share of the period that is left, rounded down', () => {
    expect(leftAt([paid('in_1', starter, 0), two('in_2', 15)], 16)).toEqual({
      in_1: 1000,
      in_2: 500,
    });
    // 19 of 30 days are left.
    const two19 = two('in_2', 11);
    expect(leftAt([paid('in_1', starter, 0), two19], 16)).toEqual({ in_1: 1000, in_2: 633 });
  });

  test('expires nothing and is counted from the highest quantity paid for', () => {
    const facts = [
      paid('in_1', starter, 0),
      prorated('in_2', starter, 10, { since, quantity: 3, charge: 3000 }),
      prorated('in_3', starter, 15, { since, quantity: 4, charge: 1450 }),
    ];
    expect(leftAt(facts, 16)).toEqual({ in_1: 1000, in_2: 1333, in_3: 500 });
  });

  test('1 → 2 → 1 → 2: the second of two is bought once', () => {
    const facts = [
      paid('in_1', starter, 0),
      two('in_2', 15),
      state('active', starter, 15, { since, quantity: 2 }),
      state('active', starter, 18, { since, quantity: 1 }),
      prorated('in_3', starter, 18, { since, quantity: 1, charge: -1100 }),
      state('active', starter, 21, { since, quantity: 2 }),
      prorated('in_4', starter, 21, { since, quantity: 2, charge: 800 }),
    ];
    expect(leftAt(facts, 17)).toEqual({ in_1: 1000, in_2: 500 });
    expect(leftAt(facts, 19)).toEqual({ in_1: 1000 });
    expect(leftAt(facts, 22)).toEqual({ in_1: 1000, in_2: 500 });
  });

  test('that was not charged adds nothing', () => {
    const free = { ...two('in_2', 15), charge: 0 };
    expect(leftAt([paid('in_1', starter, 0), free], 16)).toEqual({ in_1: 1000 });
  });

  test('its period is the one that its subscription is in', () => {
    // Granted by a proration of day 10: the period began on day 0 all the same.
    const facts = [
      state('active', starter, 0),
      prorated('in_1', starter, 10, { since, charge: 1000 }),
      two('in_2', 15),
    ];
    expect(leftAt(facts, 16)).toEqual({ in_1: 1000, in_2: 500 });
    // What a state of another period says does not matter.
    const stale = state('active', starter, -30);
    expect(leftAt([stale, paid('in_1', starter, 0), two('in_2', 15)], 16)).toEqual({
      in_1: 1000,
      in_2: 500,
    });
  });

  test('its refund takes what it added, and leaves the plan', () => {
    const facts = [paid('in_1', starter, 0), two('in_2', 15), refund('re', 'in_2', 725, 16)];
    expect(leftAt(facts, 17)).toEqual({ in_1: 1000, in_2: 250 });
  });
});

describe('leaving an unlimited plan for a metered one', () => {
  const bought = [state('active', unlimited, 0), paid('in_1', unlimited, 0)];

  test('grants that plan once a period, by the state or by the invoice, whichever comes first', () => {
    const byState = state('active', starter, 5, { since });
    const byInvoice = prorated('in_2', starter, 5, { since, charge: -9000 });
    for (const told of [[byState], [byInvoice], [byState, byInvoice]])
      expect(leftAt([...bought, ...told], 6)).toEqual({ in_1: 1000 });
    const twice = [
      ...bought,
      byState,
      ...spent('j', 900, 6),
      state('active', unlimited, 7, { since }),
    ];
    expect(leftAt([...twice, state('active', starter, 8, { since })], 9)).toEqual({ in_1: 100 });
  });

  test('nothing else expires by it', () => {
    const other = paid('in_9', pro, -1, { subscription: 'sub_2', mode: 'keep-purchased' });
    const facts = [...bought, other, state('active', starter, 5, { since })];
    expect(leftAt(facts, 6)).toEqual({ in_1: 1000, in_9: 5000 });
  });

  test('in the next period, or when its money went back, the state grants nothing', () => {
    expect(leftAt([...bought, state('active', starter, 30)], 31)).toEqual({});
    const back = refund('re', 'in_1', 19_900, 4);
    expect(leftAt([...bought, back, state('active', starter, 5, { since })], 6)).toEqual({});
    const over = state('active', starter, 30, { since });
    expect(leftAt([...bought, over], 31)).toEqual({});
  });

  test('money that had gone back in part takes its share at once', () => {
    const half = refund('re', 'in_1', 9950, 4);
    expect(leftAt([...bought, half, state('active', starter, 5, { since })], 6)).toEqual({
      in_1: 500,
    });
  });

  test('when all its money went back, an invoice of nothing grants nothing', () => {
    const back = refund('re', 'in_1', 19_900, 4);
    const facts = [...bought, back, prorated('in_2', starter, 5, { since, charge: 0 })];
    expect(leftAt(facts, 6)).toEqual({});
    expect(booksAt(facts, 6).shortfall).toBe(0);
  });

  test('a refund of the unlimited plan takes what it granted', () => {
    const facts = [
      ...bought,
      state('active', starter, 5, { since }),
      refund('re', 'in_1', 19_900, 6),
    ];
    expect(leftAt(facts, 7)).toEqual({});
  });

  test('an invoice that charges something has bought it', () => {
    const facts = [
      ...bought,
      prorated('in_2', { ...pro, credits: 9000 }, 5, { since, charge: 500 }),
    ];
    expect(leftAt(facts, 6)).toEqual({ in_2: 9000 });
    expect(leftAt([...facts, refund('re', 'in_2', 500, 7)], 8)).toEqual({});
  });

  test('a yearly one goes on month by month', () => {
    const byYear = { ...unlimited, interval: 'year' } as const;
    const facts = [paid('in_1', byYear, 0), state('active', yearly, 5, { since })];
    expect(leftAt(facts, 6)).toEqual({ in_1: 1000 });
    expect(leftAt([...facts, ...spent('j', 400, 7)], 32)).toEqual({ in_1: 1000 });
    expect(booksAt(facts, 40).nextDueUs).toBe(second('2027-03-01T00:00:00Z') * 1e6);
  });
});
