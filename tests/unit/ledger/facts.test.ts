import { describe, expect, test } from 'vitest';
import {
  isKnown,
  joinFacts,
  monthPosition,
  positionOf,
  timelineOf,
  type Fact,
  type StateContent,
  type StateFact,
} from '../../../functions/ledger/facts.pure.ts';
import { isSameState, isTie } from '../../../functions/ledger/state-order.pure.ts';
import {
  adjustment,
  allowance,
  aSecond,
  chargeRefunded,
  dispute,
  hold,
  lost,
  pack,
  paid,
  paymentFailed,
  pro,
  refund,
  release,
  second,
  signup,
  starter,
  state,
  stripeUs,
  suspension,
  undone,
} from '../../support/facts.ts';

const keysOf = (facts: Fact[]) => timelineOf(facts).map(({ key }) => key);

/** Both ways round, the answer must be one. */
function join(a: Fact, b: Fact): Fact {
  expect(joinFacts(b, a)).toEqual(joinFacts(a, b));
  return joinFacts(a, b);
}

describe('two tellings of one fact', () => {
  const fact = pack('cs_1', 5);

  test('the same again is the same, and known', () => {
    expect(join(fact, { ...fact })).toEqual(fact);
    expect(isKnown(fact, { ...fact })).toBe(true);
    expect(isKnown(fact, { ...fact, decidedAtMs: fact.decidedAtMs + 1 })).toBe(true);
  });

  test('the earliest time stands, whoever decided first', () => {
    const earlier = { ...fact, atUs: fact.atUs - 1e6, decidedAtMs: fact.decidedAtMs + 1 };
    expect(join(fact, earlier)).toEqual({ ...fact, atUs: earlier.atUs });
    expect(isKnown(fact, earlier)).toBe(false);
    expect(isKnown(earlier, fact)).toBe(false);
  });

  test('the earliest decided numbers stand, and it is remembered that they differ', () => {
    const later = { ...fact, credits: 900, decidedAtMs: fact.decidedAtMs + 1 };
    expect(join(fact, later)).toEqual({ ...fact, differs: true });
    expect(isKnown(fact, later)).toBe(false);
    expect(isKnown({ ...fact, differs: true }, later)).toBe(true);
    expect(join({ ...fact, differs: true }, fact)).toEqual({ ...fact, differs: true });
  });

  test('decided at once, any two orders agree on one', () => {
    const other = { ...fact, credits: 900 };
    expect([500, 900]).toContain((join(fact, other) as typeof fact).credits);
    expect(join(fact, other).differs).toBe(true);
  });

  test('numbers deep within them count, the order of names does not', () => {
    const plan = paid('in_1', starter, 0);
    const dearer = {
      ...plan,
      terms: { ...starter, credits: 2000 },
      decidedAtMs: plan.decidedAtMs + 9,
    };
    expect(join(plan, dearer)).toEqual({ ...plan, differs: true });
    const renamed = Object.fromEntries(Object.entries(starter).toReversed()) as typeof starter;
    expect(join(plan, { ...plan, terms: renamed })).toEqual(plan);
  });

  test.each([refund, dispute, chargeRefunded])(
    'the most final word on a reversal holds',
    (back) => {
      const open = back('b', 'cs_1', 700, 1);
      const won = undone(open);
      expect(join(open, won)).toMatchObject({
        taken: false,
        finality: 2,
        decidedAtMs: open.decidedAtMs,
      });
      expect(join(open, lost(open))).toMatchObject({ taken: true, finality: 1 });
      expect(join(lost(open), won)).toMatchObject({ taken: false, finality: 2 });
      expect(isKnown(won, open)).toBe(false);
      expect(isKnown(joinFacts(won, open), open)).toBe(true);
      // A status that changed is no other number.
      expect(join(open, won).differs).toBeUndefined();
    },
  );

  test('equally final, the greater amount; equally great, what is not taken', () => {
    const less = chargeRefunded('ch', 'cs_1', 300, 1);
    const more = { ...chargeRefunded('ch', 'cs_1', 700, 2), key: less.key };
    expect(join(less, more)).toEqual({ ...less, amount: 700 });
    expect(join(less, { ...less, taken: false })).toMatchObject({ amount: 300, taken: false });
    expect(join({ ...less, finality: 1 }, more)).toMatchObject({ amount: 300, finality: 1 });
  });

  test('of another payment, the first decided stands and differs', () => {
    const one = refund('re', 'cs_1', 700, 1);
    const two = { ...refund('re', 'cs_2', 700, 2) };
    expect(join(one, two)).toMatchObject({ payment: 'session:cs_1', differs: true });
  });

  test("what an update says of before it is kept, and is none of the state's numbers", () => {
    const told = state('active', starter, 1);
    const before = { quantity: 3 };
    expect(join(told, { ...told, before })).toEqual({ ...told, before });
    expect(join({ ...told, before }, { ...told, before: { status: 'trialing' } })).toEqual({
      ...told,
      before,
    });
    expect(join(told, { ...told, status: 'unpaid', decidedAtMs: told.decidedAtMs + 1 })).toEqual({
      ...told,
      differs: true,
    });
  });
});

describe('the place of a fact', () => {
  test('sign-up stands first, then by second', () => {
    expect(keysOf([pack('cs_b', 1), pack('cs_a', 2), signup(9), pack('cs_c', -400)])).toEqual([
      'signup',
      'session:cs_c',
      'session:cs_b',
      'session:cs_a',
    ]);
  });

  test('within one second: states, invoices, plans by period, packs, reversals, our own', () => {
    const created = { subscription: 'sub_9', phase: 'created', key: 'z1' } as const;
    const updated = { subscription: 'sub_9', phase: 'updated', key: 'y2' } as const;
    const deleted = { subscription: 'sub_9', phase: 'deleted', key: 'x3' } as const;
    const ordered = [
      state('active', starter, 1, created),
      state('active', starter, 1, updated),
      state('canceled', starter, 1, deleted),
      paymentFailed('in_w', 1, { key: 'w4' }),
      paid('in_v', pro, 1, { key: 'v5', period: [second(-30), second(0)] }),
      paid('in_u', pro, 1, { key: 'u6' }),
      pack('cs_t', 1, { key: 't7' }),
      refund('re_s', 'cs_t', 1, 1, { key: 's8' }),
      adjustment('r9', 1, 1),
      hold('j', 1, 1),
      release('j', 1, 1),
      suspension('lift', 1),
    ];
    const keys = ordered.map(({ key }) => key);
    expect(keysOf(ordered.toReversed())).toEqual(keys);
    expect(keysOf(ordered)).toEqual(keys);
    const positions = ordered.map(positionOf);
    const month = monthPosition(stripeUs(1));
    expect(positions.filter((position) => position < month)).toHaveLength(6);
  });

  test('our own stand by our clock, to the microsecond', () => {
    const facts = [
      hold('b', 1, 1),
      allowance(1, 1 + aSecond / 1e6),
      hold('a', 1, 1 + aSecond / 1e5),
    ];
    expect(keysOf(facts.toReversed())).toEqual(['hold:b:1', 'allowance:1', 'hold:a:1']);
    expect(positionOf(hold('b', 1, 1))).toBe('01798848000.60.000000.hold:b:1');
    expect(positionOf(state('active', starter, 1, { phase: 'created', key: 'k' }))).toBe(
      '01798848000.10.000000.sub_1.k',
    );
    expect(positionOf(signup(1))).toBe('0');
    expect(monthPosition(stripeUs(1) + 7)).toBe('01798848000.30.000007');
  });

  test("a subscription's first plan stands before the one that it was changed to at once", () => {
    const first = paid('in_b', starter, 1, { reason: 'create' });
    const second = paid('in_a', pro, 1, { reason: 'update' });
    expect(keysOf([second, first])).toEqual([first.key, second.key]);
  });

  test('two that differ by the key alone stand by the key', () => {
    expect(keysOf([pack('cs_b', 1), pack('cs_a', 1)])).toEqual(['session:cs_a', 'session:cs_b']);
  });
});

describe('updates of one second', () => {
  const update = (
    key: string,
    content: Partial<StateFact>,
    before?: Partial<StateContent>,
  ): StateFact => state('active', starter, 1, { key, ...content, ...(before && { before }) });
  const orders = (facts: Fact[]) => [keysOf(facts), keysOf(facts.toReversed())];

  test('stand as their previous attributes tell', () => {
    const first = update('z', { quantity: 2 }, { quantity: 1 });
    const second = update('a', { quantity: 3 }, { quantity: 2 });
    expect(orders([first, second])).toEqual([
      ['z', 'a'],
      ['z', 'a'],
    ]);
    expect([isTie(first, second), isTie(second, first)]).toEqual([false, false]);
  });

  test('also three, and by every attribute that an update can change', () => {
    const first = update('c', { quantity: 2, cancelAt: 5 }, { quantity: 1 });
    const second = update('b', { quantity: 2, cancelAt: 6 }, { cancelAt: 5 });
    const third = update('a', { quantity: 2, cancelAt: 7 }, { cancelAt: 6 });
    for (const facts of [
      [third, second, first],
      [second, third, first],
      [first, third, second],
    ])
      expect(keysOf(facts)).toEqual(['c', 'b', 'a']);
    const changes: [Partial<StateFact>, Partial<StateContent>][] = [
      [{ status: 'trialing' }, { status: 'trialing' }],
      [{ terms: pro }, { priceId: 'price_pro' }],
      [{ terms: null }, { priceId: null }],
      [{ periodStart: 7 }, { periodStart: 7 }],
      [{ periodEnd: 7 }, { periodEnd: 7 }],
      [{ trialEnd: 7 }, { trialEnd: 7 }],
    ];
    for (const [content, before] of changes)
      expect(orders([update('z', content), update('a', {}, before)])).toEqual([
        ['z', 'a'],
        ['z', 'a'],
      ]);
  });

  test('all that it tells must fit', () => {
    const other = update('z', { quantity: 2, cancelAt: 5 });
    const told = update('a', {}, { quantity: 2, cancelAt: 6 });
    expect(orders([other, told])).toEqual([
      ['a', 'z'],
      ['a', 'z'],
    ]);
    expect(isTie(other, told)).toBe(true);
  });

  test('that do not tell stand by the key, and are a tie', () => {
    const one = update('a', { quantity: 2 });
    const two = update('b', { quantity: 3 });
    const there = update('a', { quantity: 2 }, { quantity: 1 });
    const andBack = update('b', { quantity: 1 }, { quantity: 2 });
    for (const [x, y] of [
      [one, two],
      [there, andBack],
    ] as const) {
      expect(orders([x, y])).toEqual([
        ['a', 'b'],
        ['a', 'b'],
      ]);
      expect([isTie(x, y), isTie(y, x)]).toEqual([true, true]);
    }
  });

  const reading = (key: string, content: Partial<StateFact>, decidedAtMs = 0): StateFact => ({
    ...update(key, content),
    isRead: true,
    decidedAtMs,
  });

  test('a state that was read then stands last, unless an update told later found just this', () => {
    const one = { quantity: 1 };
    const two = { ...update('b', { quantity: 2 }, one), decidedAtMs: 5 };
    const before = reading('c~1', one, 4);
    const after = reading('c~2', one, 5);
    const other = reading('c~3', { quantity: 7 }, 4);
    expect(orders([two, before])).toEqual([
      ['c~1', 'b'],
      ['c~1', 'b'],
    ]);
    expect(orders([two, after])).toEqual([
      ['b', 'c~2'],
      ['b', 'c~2'],
    ]);
    expect(orders([two, before, other, after])).toEqual([
      ['c~1', 'b', 'c~2', 'c~3'],
      ['c~1', 'b', 'c~2', 'c~3'],
    ]);
  });

  test('there and back and there again ends as it was read last', () => {
    const there = { ...update('a', { quantity: 2 }, { quantity: 1 }), decidedAtMs: 9 };
    const back = { ...update('b', { quantity: 1 }, { quantity: 2 }), decidedAtMs: 9 };
    const reads = [2, 1, 2].map((quantity, i) => reading(`c~${i}`, { quantity }, i));
    expect(orders([there, back, ...reads])).toEqual([
      ['a', 'b', 'c~0', 'c~1', 'c~2'],
      ['a', 'b', 'c~0', 'c~1', 'c~2'],
    ]);
  });

  test('a circle of three is broken, not lost', () => {
    const circle = [
      update('a', { quantity: 1 }, { quantity: 3 }),
      update('b', { quantity: 2 }, { quantity: 1 }),
      update('c', { quantity: 3 }, { quantity: 2 }),
    ];
    expect(orders(circle)).toEqual([
      ['a', 'b', 'c'],
      ['a', 'b', 'c'],
    ]);
  });

  test('only those of one subscription and one second, and only updates', () => {
    const one = update('a', {}, { quantity: 9 });
    const tied = update('b', { quantity: 9 });
    const apart: Partial<StateFact>[] = [
      { subscription: 'sub_2' },
      { atUs: tied.atUs + 1e6 },
      { phase: 'deleted' },
    ];
    for (const change of apart) {
      const other = { ...tied, ...change };
      expect(keysOf([one, other])).toEqual(['a', 'b']);
      const silent = update('a', {});
      expect([isTie(silent, other), isTie(other, silent)]).toEqual([false, false]);
    }
    expect(isTie(one, one)).toBe(false);
    const created = { ...tied, phase: 'created' as const };
    expect(keysOf([one, created])).toEqual(['b', 'a']);
  });

  test("another subscription's of their second do not come between them", () => {
    const first = update('z', { quantity: 2 }, { quantity: 1 });
    const other = update('b', { subscription: 'sub_2' });
    const second = update('a', { quantity: 3 }, { quantity: 2 });
    expect(orders([first, other, second])).toEqual([
      ['z', 'a', 'b'],
      ['z', 'a', 'b'],
    ]);
  });

  test('what was read is no tie; what says the same is the same state', () => {
    const sent = update('a', { quantity: 2 });
    const read = update('b', { quantity: 3, isRead: true });
    expect([isTie(sent, read), isTie(read, sent)]).toEqual([false, false]);
    expect(isSameState(sent, { ...read, quantity: 2, atUs: 0 })).toBe(true);
    expect(isSameState(sent, read)).toBe(false);
  });

  test('the next is looked for anew after each', () => {
    const first = update('a', { quantity: 2 }, { quantity: 1 });
    const second = update('c', { quantity: 3 }, { quantity: 2 });
    const third = update('b', { quantity: 4 }, { quantity: 3 });
    expect(orders([first, second, third])).toEqual([
      ['a', 'c', 'b'],
      ['a', 'c', 'b'],
    ]);
  });

  test('others of their second stay where they are', () => {
    const facts = [
      update('z', { quantity: 2 }),
      update('a', { quantity: 1 }, { quantity: 2 }),
      state('canceled', starter, 1, { phase: 'deleted', key: '0' }),
      pack('cs_1', 1),
    ];
    expect(keysOf(facts)).toEqual(['z', 'a', '0', 'session:cs_1']);
  });
});
