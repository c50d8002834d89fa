import { describe, expect, test } from 'vitest';
import {
  booksAt,
  chargeRefunded,
  creditNote,
  dispute,
  hold,
  leftAt,
  lost,
  pack,
  paid,
  paymentFailed,
  refund,
  release,
  signup,
  spent,
  starter,
  state,
  suspension,
  undone,
  unlimited,
} from '../../support/facts.ts';

const keep = { mode: 'keep-purchased' } as const;
const shortfallAt = (...[facts, at]: Parameters<typeof booksAt>) => booksAt(facts, at).shortfall;
const backAt = (...[facts, at]: Parameters<typeof booksAt>) =>
  booksAt(facts, at).steps.flatMap(({ did }) =>
    did.rule === 'clawed_back' ? [[did.absorbed, did.taken, did.lapsed, did.shortfall]] : [],
  );

describe('money that goes back takes what it bought', () => {
  test('in proportion to the whole total, rounded down over all of them together', () => {
    // 500 credits for 10.00.
    const third = (id: string, at: number) => refund(id, 'cs_1', 333, at);
    const facts = [pack('cs_1', 0), third('re_1', 1), third('re_2', 2), third('re_3', 3)];
    expect([1, 2, 3].map((at) => leftAt(facts, at)['cs_1'])).toEqual([334, 167, 1]);
    expect(leftAt([...facts, refund('re_4', 'cs_1', 1, 4)], 4)).toEqual({});
  });

  test('one cent of a pack takes nothing of half a credit', () => {
    expect(leftAt([pack('cs_1', 0), refund('re', 'cs_1', 1, 1)], 2)).toEqual({ cs_1: 500 });
    expect(leftAt([pack('cs_1', 0), refund('re', 'cs_1', 2, 1)], 2)).toEqual({ cs_1: 499 });
  });

  test('of an invoice paid by balance and card, the whole total counts', () => {
    // 79.00, of which 29.00 by card: 14.50 of it is 18.35 % of 5,000.
    const facts = [paid('in_1', { ...starter, credits: 5000 }, 0, { total: 7900 })];
    expect(leftAt([...facts, refund('re', 'in_1', 1450, 1)], 2)).toEqual({ in_1: 4083 });
  });

  test('refunds, disputes and credit notes add up, and never above one', () => {
    const facts = [
      signup(0),
      pack('cs_1', 0),
      refund('re', 'cs_1', 400, 1),
      dispute('dp', 'cs_1', 400, 2),
      creditNote('cn', 'cs_1', 100, 3),
    ];
    expect(leftAt(facts, 4)).toEqual({ signup: 100, cs_1: 50 });
    const more = [...facts, refund('re_2', 'cs_1', 900, 4)];
    expect([leftAt(more, 5), shortfallAt(more, 5)]).toEqual([{ signup: 100 }, 0]);
  });

  test('nothing of what was free', () => {
    const facts = [paid('in_1', starter, 0, { total: 0 }), refund('re', 'in_1', 100, 1)];
    expect(leftAt(facts, 2)).toEqual({ in_1: 1000 });
  });

  test('a sum past 2^53 in between does not lose a credit', () => {
    const facts = [
      pack('cs_1', 0, { credits: 9_000_000_000, total: 9_000_000_007 }),
      refund('re', 'cs_1', 9_000_000_006, 1),
    ];
    expect(leftAt(facts, 2)).toEqual({ cs_1: 1 });
  });

  test('first what is left, then what expired, then what was spent: as shortfall', () => {
    const facts = [pack('cs_1', 0), ...spent('j', 200, 1), refund('re', 'cs_1', 1000, 2)];
    expect([leftAt(facts, 3), shortfallAt(facts, 3)]).toEqual([{}, 200]);
    expect(backAt(facts, 3)).toEqual([[0, 300, 0, 200]]);
    const lapsed = [
      pack('cs_1', 0),
      ...spent('j', 200, 1),
      paid('in_1', starter, 2),
      refund('re_1', 'cs_1', 400, 3),
      refund('re_2', 'cs_1', 400, 4),
    ];
    expect([leftAt(lapsed, 5), shortfallAt(lapsed, 5)]).toEqual([{ in_1: 1000 }, 100]);
    expect(backAt(lapsed, 5)).toEqual([
      [0, 0, 200, 0],
      [0, 0, 100, 100],
    ]);
  });

  test('what a cap cut is nothing that was used', () => {
    const facts = [
      paid('in_1', { ...starter, plan: 'pro', credits: 5000 }, 0),
      state('active', starter, 1, { since: 0 }),
      ...spent('j', 1000, 2),
      refund('re', 'in_1', 2900, 3),
    ];
    const { total } = paid('in_1', { ...starter, plan: 'pro' }, 0);
    expect(total).toBe(7900);
    // 36.7 % of 5,000 is 1,835: all of it from the 4,000 that were cut.
    expect([leftAt(facts, 4), shortfallAt(facts, 4)]).toEqual([{}, 0]);
    const all = [...facts, refund('re_2', 'in_1', 5000, 4)];
    expect([leftAt(all, 5), shortfallAt(all, 5)]).toEqual([{}, 1000]);
  });

  test("other payments' lots are not touched", () => {
    const facts = [
      pack('cs_1', 0),
      pack('cs_2', 1),
      ...spent('j', 500, 2),
      refund('re', 'cs_1', 1000, 3),
    ];
    expect([leftAt(facts, 4), shortfallAt(facts, 4)]).toEqual([{ cs_2: 500 }, 500]);
  });

  test('a payment known later than its reversal is taken back when it comes', () => {
    const facts = [refund('re', 'cs_1', 500, 0), pack('cs_1', 1)];
    expect(leftAt(facts, 2)).toEqual({ cs_1: 250 });
    expect(leftAt([refund('re', 'in_1', 725, 0), paid('in_1', starter, 1)], 2)).toEqual({
      in_1: 750,
    });
  });

  test('a failed refund or a won dispute is as if it never was', () => {
    for (const back of [refund('b', 'cs_1', 1000, 2), dispute('b', 'cs_1', 1000, 2)]) {
      const facts = [pack('cs_1', 0), ...spent('j', 200, 1), back, undone(back)];
      expect([leftAt(facts, 3), shortfallAt(facts, 3)]).toEqual([{ cs_1: 300 }, 0]);
    }
    const open = dispute('b', 'cs_1', 1000, 2);
    expect(leftAt([pack('cs_1', 0), open, lost(open)], 3)).toEqual({});
  });

  test('what an upgrade made expire does not come back with its refund', () => {
    const facts = [
      paid('in_1', starter, 0),
      paid('in_2', { ...starter, plan: 'pro', credits: 5000 }, 5),
      refund('re', 'in_2', 7900, 6),
    ];
    expect(leftAt(facts, 7)).toEqual({});
  });
});

describe("a charge's own word on what was refunded", () => {
  const bought = pack('cs_1', 0);

  test('counts refunds that nobody named, once', () => {
    const told = chargeRefunded('ch', 'cs_1', 600, 2);
    expect(leftAt([bought, told], 3)).toEqual({ cs_1: 200 });
    expect(leftAt([bought, refund('re', 'cs_1', 400, 1), told], 3)).toEqual({ cs_1: 200 });
    expect(leftAt([bought, refund('re', 'cs_1', 800, 1), told], 3)).toEqual({ cs_1: 100 });
  });

  test('stands beside disputes and credit notes', () => {
    const facts = [bought, chargeRefunded('ch', 'cs_1', 200, 1), dispute('dp', 'cs_1', 600, 2)];
    expect(leftAt(facts, 3)).toEqual({ cs_1: 100 });
  });

  test('without those that failed', () => {
    const failed = undone(refund('re_1', 'cs_1', 400, 1));
    const facts = [bought, failed, chargeRefunded('ch', 'cs_1', 600, 2)];
    expect(leftAt(facts, 3)).toEqual({ cs_1: 400 });
    const two = [...facts, undone(refund('re_2', 'cs_1', 200, 1))];
    expect(leftAt(two, 3)).toEqual({ cs_1: 500 });
  });

  test('of two charges that paid together counts together', () => {
    const facts = [
      bought,
      chargeRefunded('ch_1', 'cs_1', 600, 1),
      chargeRefunded('ch_2', 'cs_1', 200, 2),
    ];
    expect(leftAt(facts, 3)).toEqual({ cs_1: 100 });
  });
});

describe('what comes back to a payment that was taken back', () => {
  test('pays its shortfall first', () => {
    const facts = [
      pack('cs_1', 0),
      hold('j', 500, 1),
      refund('re', 'cs_1', 600, 2),
      release('j', 400, 3),
    ];
    expect([leftAt(facts, 2.5), shortfallAt(facts, 2.5)]).toEqual([{}, 300]);
    expect([leftAt(facts, 4), shortfallAt(facts, 4)]).toEqual([{ cs_1: 100 }, 0]);
    const less = [...facts.slice(0, 3), release('j', 100, 3)];
    expect([leftAt(less, 4), shortfallAt(less, 4)]).toEqual([{}, 200]);
  });

  test('also when its lot has expired; only the rest is lapsed', () => {
    const facts = [
      pack('cs_1', 0),
      hold('j', 500, 1),
      refund('re', 'cs_1', 600, 2),
      paid('in_1', starter, 3),
      release('j', 400, 4),
      refund('re_2', 'cs_1', 400, 5),
    ];
    expect([leftAt(facts, 4.5), shortfallAt(facts, 4.5)]).toEqual([{ in_1: 1000 }, 0]);
    // Of the last 200, 100 had lapsed and 100 were spent.
    expect(shortfallAt(facts, 6)).toBe(100);
  });
});

describe('suspension', () => {
  const bought = [pack('cs_1', 0), ...spent('j', 200, 1)];
  const open = dispute('dp_1', 'cs_1', 1000, 2);
  const since = { sinceUs: open.atUs, reason: 'dispute dp_1', dispute: 'dp_1' };

  test('while a dispute is open or lost and something is missing', () => {
    expect(booksAt([...bought, open], 3).suspended).toEqual(since);
    expect(booksAt([...bought, open, lost(open)], 3).suspended).toEqual(since);
    expect(booksAt([...bought, open, undone(open)], 3).suspended).toBeNull();
  });

  test('not by a dispute of what was not used, nor by a refund', () => {
    expect(booksAt([pack('cs_1', 0), open], 3).suspended).toBeNull();
    expect(booksAt([...bought, refund('re', 'cs_1', 1000, 2)], 3).suspended).toBeNull();
  });

  test('any shortfall of the user counts, and it ends when that is paid', () => {
    const facts = [
      pack('cs_1', 0),
      pack('cs_2', 0),
      hold('j', 500, 1),
      refund('re', 'cs_1', 1000, 1.5),
      dispute('dp_1', 'cs_2', 100, 2),
      release('j', 500, 5),
    ];
    expect(booksAt(facts, 3).suspended).toEqual(since);
    expect(booksAt(facts, 6).suspended).toBeNull();
  });

  test('by a dispute of an unlimited plan that was used, and only then', () => {
    const plan = [paid('in_1', unlimited, 0), state('active', unlimited, 0)];
    const disputed = dispute('dp_1', 'in_1', 19_900, 2);
    expect(booksAt([...plan, disputed], 3).suspended).toBeNull();
    expect(booksAt([...plan, ...spent('j', 10, 1), disputed], 3).suspended).toEqual(since);
    const used = [...plan, hold('j', 10, 1), disputed];
    expect(booksAt(used, 3).suspended).toEqual(since);
    expect(booksAt([...used, undone(disputed)], 3).suspended).toBeNull();
    expect(
      booksAt([...plan, hold('j', 10, 1), dispute('dp_1', 'in_9', 1, 2)], 3).suspended,
    ).toBeNull();
  });

  test('an unlimited plan is used while it entitles, not by what is held beside another', () => {
    const facts = [
      paid('in_1', unlimited, 0),
      state('canceled', unlimited, 1),
      paid('in_2', unlimited, 2, { subscription: 'sub_2' }),
      state('active', unlimited, 2, { subscription: 'sub_2' }),
      hold('j', 10, 3),
      dispute('dp_1', 'in_1', 19_900, 4),
    ];
    expect(booksAt(facts, 5).suspended).toBeNull();
    const metered = [pack('cs_1', 0), paid('in_1', starter, 0, keep), hold('j', 10, 1)];
    expect(
      booksAt([...metered, dispute('d', 'in_1', 2900, 2), release('j', 10, 3)], 4).suspended,
    ).toBeNull();
  });

  test("an operator lifts it, also for disputes of before, and not for the next one's", () => {
    const lifted = [...bought, open, suspension('lift', 3)];
    expect(booksAt(lifted, 4).suspended).toBeNull();
    expect(booksAt([...bought, open, suspension('lift', 2)], 4).suspended).toBeNull();
    const again = dispute('dp_2', 'cs_1', 1, 5);
    expect(booksAt([...lifted, again], 6).suspended).toEqual({
      sinceUs: again.atUs,
      reason: 'dispute dp_2',
      dispute: 'dp_2',
    });
  });

  test("an operator's own stands until it is lifted", () => {
    const ordered = suspension('suspend', 1);
    const since = { sinceUs: ordered.atUs, reason: 'looks odd' };
    expect(booksAt([ordered], 2).suspended).toEqual(since);
    expect(booksAt([ordered, suspension('lift', 2)], 3).suspended).toBeNull();
    expect(booksAt([suspension('lift', 0), ordered], 3).suspended).toEqual(since);
    expect(booksAt([...bought, open, ordered], 3).suspended).toEqual(since);
  });

  test('a failed payment suspends nobody', () => {
    expect(booksAt([...bought, paymentFailed('in_1', 2)], 3).suspended).toBeNull();
  });
});
